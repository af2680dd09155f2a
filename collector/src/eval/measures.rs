//! How good scores are, by labels.
//!
//! Labels are one flag a point, scores one number a point; both are of the same length and in the order of time. None of
//! these measures adjusts points: with point adjustment a random score comes out well (Kim et al., "Towards a rigorous
//! evaluation of time-series anomaly detection", AAAI 2022).

/// How many points after its beginning a stretch must be found in to count (AIOps KPI challenge, 2018).
pub(super) const DELAY: usize = 7;
/// How many thresholds the best F1 is looked for at.
const THRESHOLDS: usize = 60;
/// The steps in which labels are softened.
const STEP: usize = 4;

/// Area under the curve of precision over recall, in [0, 1]; a random score gets the share of odd points. `weights` are labels in
/// [0, 1]: how odd a point is. NaN if no point is odd.
pub(super) fn auc_pr(weights: &[f64], scores: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..weights.len().min(scores.len())).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let total: f64 = weights.iter().sum();
    let (mut area, mut found, mut recall) = (0.0, 0.0, 0.0);
    for (n, point) in order.iter().enumerate() {
        found += weights[*point];
        // Points with the same score are taken together: nothing says which comes first.
        let is_last = order.get(n + 1).is_none_or(|next| scores[*next] != scores[*point]);
        if is_last {
            let reached = found / total;
            area += (reached - recall) * found / (n + 1) as f64;
            recall = reached;
        }
    }
    area
}

/// Volume under the surface of precision, recall and tolerance, in [0, 1]: [`auc_pr`] averaged over labels that are softened at their
/// edges by 0, 4, ... `window` points (Paparrizos et al., "Volume under the surface", VLDB 2022).
pub(super) fn vus_pr(labels: &[bool], scores: &[f64], window: usize) -> f64 {
    let widths = (0..=window).step_by(STEP);
    let n = widths.clone().count() as f64;
    widths.map(|width| auc_pr(&softened(labels, width), scores)).sum::<f64>() / n
}

/// Labels whose stretches fade out over half of `width` points to both sides.
fn softened(labels: &[bool], width: usize) -> Vec<f64> {
    let mut weights: Vec<f64> = labels.iter().map(|odd| f64::from(u8::from(*odd))).collect();
    for (begin, end) in stretches(labels) {
        for distance in 1..=width / 2 {
            let weight = (1.0 - distance as f64 / (width + 1) as f64).sqrt();
            for at in [begin.checked_sub(distance), Some(end - 1 + distance)].into_iter().flatten() {
                if let Some(known) = weights.get_mut(at) {
                    *known = known.max(weight);
                }
            }
        }
    }
    weights
}

/// The best F1 over all thresholds, in [0, 1], of stretches that are found within their first [`DELAY`] points and of stretches that are
/// reported where there is none.
pub(super) fn event_f1(labels: &[bool], scores: &[f64]) -> f64 {
    let wanted = stretches(labels);
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut best = 0.0_f64;
    let mut before = None;
    for n in 0..THRESHOLDS {
        // From one point in 30,000 to one in five.
        let share = 10_f64.powf(-4.5 + 3.8 * n as f64 / (THRESHOLDS - 1) as f64);
        let threshold = quantile(&sorted, 1.0 - share);
        if before.replace(threshold) == Some(threshold) {
            continue;
        }
        let hits: Vec<bool> = scores.iter().map(|score| *score >= threshold).collect();
        let is_found =
            |(begin, end): &&(usize, usize)| hits[*begin..(*end).min(begin + DELAY + 1)].contains(&true);
        let found = wanted.iter().filter(is_found).count() as f64;
        let wrong: Vec<bool> = hits.iter().zip(labels).map(|(hit, odd)| *hit && !odd).collect();
        let wrong = stretches(&wrong).len() as f64;
        if found > 0.0 {
            best = best.max(2.0 * found / (found + wrong + wanted.len() as f64));
        }
    }
    best
}

/// Where flags are set: the beginning and the end of each stretch, the end not included.
pub(super) fn stretches(flags: &[bool]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut begin = None;
    for (at, set) in flags.iter().chain([&false]).enumerate() {
        match (set, begin) {
            (true, None) => begin = Some(at),
            (false, Some(from)) => {
                found.push((from, at));
                begin = None;
            }
            _ => {}
        }
    }
    found
}

/// The `q` quantile of sorted numbers, interpolated between neighbours; NaN of none.
pub(super) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q.clamp(0.0, 1.0) * sorted.len().saturating_sub(1) as f64;
    let below = sorted.get(at as usize).copied().unwrap_or(f64::NAN);
    let above = sorted.get(at as usize + 1).copied().unwrap_or(below);
    below + (above - below) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LABELS: [bool; 8] = [false, false, true, true, false, false, false, false];

    fn close(value: f64, expected: f64) {
        assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
    }

    fn flags(labels: &[bool]) -> Vec<f64> {
        softened(labels, 0)
    }

    #[test]
    fn precision_recall_area_is_as_by_hand() {
        let labels = flags(&LABELS);
        // The odd points come first and third: 1/2 of the recall at a precision of 1, the other at 2/3.
        let scores = [0.1, 0.8, 0.9, 0.7, 0.0, 0.2, 0.3, 0.4];
        close(auc_pr(&labels, &scores), 0.5 + 0.5 * 2.0 / 3.0);
        close(auc_pr(&labels, &labels), 1.0);
        // A score that says nothing gets the share of odd points.
        close(auc_pr(&labels, &[0.5; 8]), 0.25);
        // The worst order: seventh and eighth.
        let worst = [0.9, 0.8, 0.1, 0.0, 0.7, 0.6, 0.5, 0.4];
        close(auc_pr(&labels, &worst), 0.5 / 7.0 + 0.5 * 2.0 / 8.0);
    }

    #[test]
    fn soft_labels_reward_scores_next_to_a_stretch() {
        let soft = softened(&LABELS, 4);
        let edge = |distance: f64| (1.0 - distance / 5.0).sqrt();
        let expected = [edge(2.0), edge(1.0), 1.0, 1.0, edge(1.0), edge(2.0), 0.0, 0.0];
        soft.iter().zip(expected).for_each(|(weight, expected)| close(*weight, expected));
        // One point late: worth nothing to the hard labels, something to the soft ones.
        let late = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0];
        let hard = 0.25;
        close(vus_pr(&LABELS, &late, 0), hard);
        let (found, total) = (edge(1.0) + edge(2.0), 2.0 + 2.0 * (edge(1.0) + edge(2.0)));
        let width_4 = found / total * found / 2.0 + (1.0 - found / total) * total / 8.0;
        close(vus_pr(&LABELS, &late, 4), f64::midpoint(hard, width_4));
    }

    #[test]
    fn a_stretch_found_too_late_is_not_found() {
        let mut labels = vec![false; 100];
        labels[20..40].fill(true);
        labels[60..63].fill(true);
        let score = |at: &[usize]| {
            let mut scores = vec![0.0; 100];
            at.iter().for_each(|at| scores[*at] = 1.0);
            event_f1(&labels, &scores)
        };
        close(score(&[27, 62]), 1.0);
        // One of two, no false one: recall 1/2.
        close(score(&[28, 62]), 2.0 / 3.0);
        // Both, and one false one.
        close(score(&[20, 62, 80, 81]), 4.0 / 5.0);
        // Best is to report everything: both, and what lies before, between and after them.
        close(score(&[80]), 4.0 / 7.0);
    }

    #[test]
    fn stretches_and_quantiles_have_their_edges_right() {
        assert_eq!(stretches(&[true, false, true, true]), [(0, 1), (2, 4)]);
        assert_eq!(stretches(&[]), []);
        close(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
        close(quantile(&[1.0, 2.0, 4.0], 1.0), 4.0);
        assert!(quantile(&[], 0.5).is_nan());
    }
}
