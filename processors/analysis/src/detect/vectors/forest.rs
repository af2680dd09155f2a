//! Isolation forest (Liu, Ting and Zhou 2008): what a few random cuts set apart is unlike the rest.
//!
//! In: standardised frames, or any rows of numbers of one width. Out: a score in (0, 1), 0.5 for what is like the others, and what each
//! number contributes to it.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::random::Random;

/// Trees, and rows that each is grown from.
const TREES: usize = 50;
const ROWS: usize = 128;
/// The paper's limit of the height: what is not apart by then is like the others.
const HEIGHT: usize = 7;
/// Euler's constant.
const EULER: f64 = 0.577_215_664_9;
const LEAF: u16 = u16::MAX;

/// A cut, or a leaf. The left child follows its parent; `right` is where the right one is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Node {
    feature: u16,
    right: u16,
    /// Rows of the sample that came here.
    rows: u16,
    threshold: f32,
}

/// Trees grown from rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forest {
    trees: Vec<Vec<Node>>,
    /// The path's usual length for the sample's size.
    usual_length: f64,
}

/// The mean length of a path in a search tree of so many rows (the paper's equation 1).
fn mean_length(rows: f64) -> f64 {
    match rows {
        rows if rows > 2.0 => 2.0 * ((rows - 1.0).ln() + EULER) - 2.0 * (rows - 1.0) / rows,
        2.0 => 1.0,
        _ => 0.0,
    }
}

/// A forest in the making, a tree at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Growing {
    trees: Vec<Vec<Node>>,
    random: Random,
}

impl Growing {
    /// Nothing yet.
    pub(super) const fn new(seed: u64) -> Self {
        Self { trees: Vec::new(), random: Random::new(seed) }
    }

    /// About as many operations as the next tree takes.
    pub(super) const fn cost(width: usize) -> u64 {
        (ROWS * (width + 12 * HEIGHT)) as u64
    }

    /// Grows the next tree from some of the `rows`. Ends with the forest, or with `None` if there are fewer than two rows.
    pub(super) fn advance(
        &mut self,
        rows: usize,
        row: impl Fn(usize, &mut Vec<f32>),
    ) -> ControlFlow<Option<Forest>> {
        let size = rows.min(ROWS);
        if size < 2 {
            return ControlFlow::Break(None);
        }
        // Floyd's sample without repetition (Bentley and Floyd 1987), which needs no list of all rows.
        let mut chosen: Vec<usize> = Vec::with_capacity(size);
        for end in rows - size..rows {
            let at = self.random.below(end as u64 + 1) as usize;
            chosen.push(if chosen.contains(&at) { end } else { at });
        }
        let sample: Vec<Vec<f32>> = chosen
            .into_iter()
            .map(|at| {
                let mut values = Vec::new();
                row(at, &mut values);
                values
            })
            .collect();
        let (mut here, mut nodes): (Vec<u32>, _) = ((0..size as u32).collect(), Vec::new());
        grow(&mut nodes, &sample, &mut here, HEIGHT, &mut self.random);
        nodes.shrink_to_fit();
        self.trees.push(nodes);
        if self.trees.len() < TREES {
            return ControlFlow::Continue(());
        }
        let trees = std::mem::take(&mut self.trees);
        ControlFlow::Break(Some(Forest { trees, usual_length: mean_length(size as f64) }))
    }
}

impl Forest {
    /// Grows trees from `rows`, which are of one width. `None` if there are fewer than two.
    pub fn fit(rows: &[Vec<f32>], seed: u64) -> Option<Self> {
        let mut growing = Growing::new(seed);
        let tree = || growing.advance(rows.len(), |at, row| row.clone_from(&rows[at]));
        std::iter::repeat_with(tree).find_map(ControlFlow::break_value)?
    }

    /// How unlike the others a row is: 0.5 is usual, near 1 is apart.
    pub fn score(&self, row: &[f32]) -> f64 {
        let lengths: f64 = self.trees.iter().map(|tree| path(tree, row, |_, _| ())).sum();
        self.of_length(lengths / self.trees.len() as f64)
    }

    fn of_length(&self, length: f64) -> f64 {
        (-length / self.usual_length).exp2()
    }

    /// The score, and what each number of the row contributes: by how much more than half its cuts reduce the rows that are left.
    pub fn explain(&self, row: &[f32], parts: &mut Vec<f32>) -> f64 {
        parts.clear();
        parts.resize(row.len(), 0.0);
        let mut lengths = 0.0;
        for tree in &self.trees {
            lengths += path(tree, row, |feature, halvings| {
                if let Some(part) = parts.get_mut(feature) {
                    *part += (halvings - 1.0).max(0.0);
                }
            });
        }
        self.of_length(lengths / self.trees.len() as f64)
    }
}

/// Follows a row through a tree and gives the path's length. `cut` is told of each cut's feature, and how often it halves what is left.
fn path(tree: &[Node], row: &[f32], mut cut: impl FnMut(usize, f32)) -> f64 {
    let (mut at, mut length) = (0, 0.0);
    while let Some(node) = tree.get(at) {
        if node.feature == LEAF {
            return length + mean_length(f64::from(node.rows));
        }
        let value = row.get(usize::from(node.feature)).copied().unwrap_or(0.0);
        let next = if value < node.threshold { at + 1 } else { usize::from(node.right) };
        let left = tree.get(next).map_or(1, |child| child.rows);
        cut(usize::from(node.feature), (f32::from(node.rows) / f32::from(left.max(1))).log2());
        (at, length) = (next, length + 1.0);
    }
    length
}

fn grow(nodes: &mut Vec<Node>, rows: &[Vec<f32>], here: &mut [u32], height: usize, random: &mut Random) {
    let at = nodes.len();
    nodes.push(Node { feature: LEAF, right: 0, rows: here.len() as u16, threshold: 0.0 });
    let Some((feature, threshold)) = choose(rows, here, height, random) else { return };
    let mut left = 0;
    for next in 0..here.len() {
        if rows[here[next] as usize][feature] < threshold {
            here.swap(left, next);
            left += 1;
        }
    }
    let (below, above) = here.split_at_mut(left);
    grow(nodes, rows, below, height - 1, random);
    let right = nodes.len() as u16;
    grow(nodes, rows, above, height - 1, random);
    nodes[at] = Node { feature: feature as u16, right, rows: here.len() as u16, threshold };
}

/// A random cut of a random feature that has more than one value here; `None` if there is nothing to cut.
fn choose(rows: &[Vec<f32>], here: &[u32], height: usize, random: &mut Random) -> Option<(usize, f32)> {
    if height == 0 || here.len() < 2 {
        return None;
    }
    let width = rows[here[0] as usize].len();
    // A feature that has one value only cuts nothing; the next one that does is as good as any.
    let first = random.below(width.max(1) as u64) as usize;
    for feature in (first..width).chain(0..first) {
        let values = here.iter().map(|row| rows[*row as usize][feature]);
        let (low, high) = values
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if low < high {
            let threshold = low + (high - low) * (1.0 - random.unit() as f32);
            // Rounding must not leave one side empty.
            return Some((feature, threshold.clamp(low.next_up(), high)));
        }
    }
    None
}

/// Shapley values by permutation (Strumbelj and Kononenko 2014): what each number of `row` contributes to `value` in place of the numbers
/// of other rows. They add up to the difference that the row makes. Costs `rounds` evaluations for each number.
pub fn shapley(
    value: impl Fn(&[f32]) -> f64,
    row: &[f32],
    others: &[Vec<f32>],
    rounds: usize,
    seed: u64,
) -> Vec<f64> {
    let mut random = Random::new(seed);
    let mut values = vec![0.0; row.len()];
    if others.is_empty() || rounds == 0 {
        return values;
    }
    let mut order: Vec<usize> = (0..row.len()).collect();
    for _ in 0..rounds {
        for at in (1..order.len()).rev() {
            order.swap(at, random.below(at as u64 + 1) as usize);
        }
        let mut mixed = others[random.below(others.len() as u64) as usize].clone();
        let mut before = value(&mixed);
        for &at in &order {
            mixed[at] = row[at];
            let after = value(&mixed);
            values[at] += (after - before) / rounds as f64;
            before = after;
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cloud(random: &mut Random, rows: usize, width: usize) -> Vec<Vec<f32>> {
        let normal = |random: &mut Random| (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
        (0..rows).map(|_| (0..width).map(|_| normal(random) as f32).collect()).collect()
    }

    #[test]
    fn what_is_apart_scores_high_and_the_number_that_sets_it_apart_is_named() {
        let mut random = Random::new(1);
        let forest = Forest::fit(&cloud(&mut random, 500, 8), 2).unwrap();
        let mut parts = Vec::new();
        let usual = forest.explain(&[0.0; 8], &mut parts);
        let mut odd = [0.0; 8];
        odd[5] = 8.0;
        let apart = forest.explain(&odd, &mut parts);
        assert!(usual < 0.5 && apart > usual + 0.03, "{usual} {apart}");
        let most = (0..8).max_by(|a, b| parts[*a].total_cmp(&parts[*b]));
        assert_eq!(most, Some(5), "{parts:?}");
        assert_eq!(forest.score(&odd), apart);
    }

    #[test]
    fn shapley_values_add_up_and_name_the_same_number() {
        let mut random = Random::new(1);
        let others = cloud(&mut random, 200, 8);
        let forest = Forest::fit(&others, 2).unwrap();
        let mut odd = vec![0.0; 8];
        odd[3] = -9.0;
        let values = shapley(|row| forest.score(row), &odd, &others, 32, 4);
        assert!(values.iter().enumerate().all(|(at, value)| at == 3 || *value < values[3]), "{values:?}");
        let linear =
            shapley(|row| f64::from(row[0]) + 2.0 * f64::from(row[1]), &[1.0, 1.0], &[vec![0.0, 0.0]], 3, 1);
        assert_eq!(linear, [1.0, 2.0]);
    }

    /// The chance that an odd row scores higher than a usual one.
    fn area(scores: &[(f64, bool)]) -> f64 {
        let (odd, usual): (Vec<_>, Vec<_>) = scores.iter().partition(|(_, odd)| *odd);
        let higher = |score: f64| usual.iter().filter(|(other, _)| *other < score).count();
        odd.iter().map(|(score, _)| higher(*score)).sum::<usize>() as f64 / (odd.len() * usual.len()) as f64
    }

    #[test]
    fn it_finds_as_much_as_scikit_learn() {
        // Means over forty seeds, of which one has a standard deviation of 0.03: `testdata/forest_reference.py`.
        for (shift, reference) in [(2.0, 0.825), (3.0, 0.927), (4.0, 0.951)] {
            let mut random = Random::new(11);
            let (rows, mut test) = (cloud(&mut random, 512, 8), cloud(&mut random, 600, 8));
            for row in test.iter_mut().step_by(10) {
                row[2] += shift;
                row[6] -= shift;
            }
            let of_seed = |seed| {
                let forest = Forest::fit(&rows, seed).unwrap();
                let score = |(at, row): (usize, &Vec<f32>)| (forest.score(row), at % 10 == 0);
                area(&test.iter().enumerate().map(score).collect::<Vec<_>>())
            };
            let mean = (0..10).map(of_seed).sum::<f64>() / 10.0;
            assert!((mean - reference).abs() < 0.03, "{shift}: {mean}, scikit-learn {reference}");
        }
    }

    #[test]
    fn rows_that_are_all_the_same_are_no_trouble() {
        let forest = Forest::fit(&vec![vec![1.0, 2.0]; 40], 3).unwrap();
        assert!(forest.score(&[1.0, 2.0]).is_finite());
        assert_eq!(Forest::fit(&[vec![1.0]], 3), None);
    }
}
