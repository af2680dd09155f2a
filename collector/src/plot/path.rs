//! Paths of SVG, short.

use std::fmt;

/// Lines from point to point, with one decimal of a pixel.
#[derive(Clone, Debug, Default)]
pub(super) struct Path {
    /// Tenths of a pixel; whether the pen is lifted before.
    points: Vec<(i32, i32, bool)>,
    /// After which points the path is closed.
    closed: Vec<usize>,
}

impl Path {
    /// Goes on to a point, drawing or not.
    pub(super) fn to(&mut self, x: f64, y: f64, lifted: bool) {
        let tenths = |value: f64| (value * 10.0).round() as i32;
        let point = (tenths(x), tenths(y));
        let is_there = self.points.last().is_some_and(|(x, y, _)| (*x, *y) == point);
        if lifted || !is_there {
            self.points.push((point.0, point.1, lifted));
        }
    }

    /// Goes back to where the pen was put down.
    pub(super) fn close(&mut self) {
        if !self.points.is_empty() && self.closed.last() != Some(&self.points.len()) {
            self.closed.push(self.points.len());
        }
    }
}

impl fmt::Display for Path {
    /// The `d` of a path: relative steps, which are shorter.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut closed = self.closed.iter().peekable();
        let mut before = (0, 0);
        for (n, (x, y, lifted)) in self.points.iter().enumerate() {
            let next_lifts = self.points.get(n + 1).is_none_or(|(.., lifted)| *lifted);
            if *lifted {
                write!(f, "M{}{}", Tenths(*x, true), Tenths(*y, false))?;
                // A line of no length is a dot.
                f.write_str(if next_lifts { "h0" } else { "l" })?;
            } else {
                let first = self.points.get(n.wrapping_sub(1)).is_some_and(|(.., lifted)| *lifted);
                write!(f, "{}{}", Tenths(x - before.0, first), Tenths(y - before.1, false))?;
            }
            before = (*x, *y);
            if closed.next_if(|end| **end == n + 1).is_some() {
                f.write_str("Z")?;
            }
        }
        Ok(())
    }
}

/// Tenths as a number in a list; the first one needs nothing between it and what is before it.
struct Tenths(i32, bool);

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(tenths, is_first) = *self;
        if !is_first && tenths >= 0 {
            f.write_str(" ")?;
        }
        let sign = if tenths < 0 { "-" } else { "" };
        let (whole, part) = (tenths.unsigned_abs() / 10, tenths.unsigned_abs() % 10);
        match (whole, part) {
            (whole, 0) => write!(f, "{sign}{whole}"),
            (0, part) => write!(f, "{sign}.{part}"),
            (whole, part) => write!(f, "{sign}{whole}.{part}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_relative_short_and_has_dots() {
        let mut path = Path::default();
        path.to(10.0, 5.0, true);
        path.to(12.5, 4.7, false);
        path.to(12.5, 4.7, false);
        path.to(12.0, 4.7, false);
        path.to(30.0, 1.0, true);
        assert_eq!(path.to_string(), "M10 5l2.5-.3-.5 0M30 1h0");
        let mut area = Path::default();
        area.close();
        area.to(0.0, 0.0, true);
        area.to(1.0, 1.0, false);
        area.close();
        area.close();
        assert_eq!(area.to_string(), "M0 0l1 1Z");
    }
}
