//! The pipelines as a picture: boxes in columns, from left to right, each one column after the last that feeds it.

use std::fmt::Write;

use super::Drawing;

const BOX_WIDTH: usize = 170;
const BOX_HEIGHT: usize = 34;
const COLUMN: usize = 230;
const ROW: usize = 56;
const MARGIN: usize = 20;

/// Writing to a `String` cannot fail, so what `write!` returns is dropped throughout.
pub(super) fn svg(drawing: &Drawing) -> String {
    let columns = columns(drawing);
    let mut rows = vec![0usize; columns.iter().max().map_or(1, |last| last + 1)];
    let places: Vec<_> = columns
        .iter()
        .map(|column| {
            let row = rows[*column];
            rows[*column] += 1;
            (MARGIN + column * COLUMN, MARGIN + row * ROW)
        })
        .collect();
    let width = 2 * MARGIN + (rows.len() - 1) * COLUMN + BOX_WIDTH;
    let height = 2 * MARGIN + rows.iter().max().copied().unwrap_or(1) * ROW;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" \
         markerHeight=\"8\" orient=\"auto\"><path d=\"M0 0 L8 4 L0 8 z\"/></marker></defs>\n"
    );
    for (from, to, pipeline) in &drawing.arrows {
        let ((x1, y1), (x2, y2)) = (places[*from], places[*to]);
        let (x1, y1, y2) = (x1 + BOX_WIDTH, y1 + BOX_HEIGHT / 2, y2 + BOX_HEIGHT / 2);
        let middle = usize::midpoint(x1, x2);
        let _ = writeln!(
            text,
            "<path class=\"arrow\" d=\"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}\" fill=\"none\" stroke=\"#555\" \
             marker-end=\"url(#tip)\"><title>{}</title></path>",
            escape(pipeline)
        );
    }
    for ((_, stage), (x, y)) in drawing.stages.iter().zip(&places) {
        let _ = writeln!(
            text,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{BOX_HEIGHT}\" rx=\"5\" fill=\"{}\" stroke=\"#555\"/>\n\
             <text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            stage.role.colour(),
            x + BOX_WIDTH / 2,
            y + BOX_HEIGHT / 2 + 5,
            escape(&stage.label)
        );
    }
    text + "</svg>\n"
}

/// The longest way to each box. Bounded by the number of boxes, so that a circle ends too.
fn columns(drawing: &Drawing) -> Vec<usize> {
    let n = drawing.stages.len();
    let mut columns = vec![0; n];
    for _ in 0..n {
        let mut changed = false;
        for (from, to, _) in &drawing.arrows {
            if columns[*to] < columns[*from] + 1 && columns[*from] + 1 < n {
                columns[*to] = columns[*from] + 1;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    columns
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
