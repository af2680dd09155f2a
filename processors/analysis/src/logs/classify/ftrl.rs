//! A linear model that learns one example after another and keeps only the weights that it needs.
//!
//! Follow-the-regularised-leader, proximal, per coordinate: H. B. McMahan et al., "Ad Click Prediction: a View from the
//! Trenches", KDD 2013, algorithm 1. In: sparse examples with an offset, which is what is believed without the model, in
//! log-odds. Out: what to add to the offset.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::evidence::sigmoid;

/// A sparse example: features by number, each at most once.
pub(super) type Features = Vec<(u32, f32)>;

/// How a model learns.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    /// The size of steps.
    pub(super) alpha: f32,
    /// How slowly steps become smaller.
    pub(super) beta: f32,
    /// What keeps weights at zero.
    pub(super) l1: f32,
    /// What keeps weights small.
    pub(super) l2: f32,
}

/// What a user says once must count, and must not be forgotten.
pub(super) const RATES: Rates = Rates { alpha: 1.0, beta: 1.0, l1: 0.01, l2: 0.05 };

/// The state of one weight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Coordinate {
    pub(super) z: f32,
    pub(super) n: f32,
}

/// The model of one class.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Ftrl {
    pub(super) coordinates: BTreeMap<u32, Coordinate>,
}

impl Ftrl {
    /// What the model adds for this example.
    pub(super) fn score(&self, features: &[(u32, f32)], rates: Rates) -> f32 {
        if self.coordinates.is_empty() {
            return 0.0;
        }
        features.iter().map(|(feature, value)| value * self.weight(*feature, rates)).sum()
    }

    /// The weight of a feature.
    pub(super) fn weight(&self, feature: u32, rates: Rates) -> f32 {
        self.coordinates.get(&feature).map_or(0.0, |coordinate| coordinate.weight(rates))
    }

    /// Learns that an example is of the class, or is not.
    pub(super) fn learn(&mut self, features: &[(u32, f32)], offset: f32, truth: bool, rates: Rates) {
        let predicted = sigmoid(offset + self.score(features, rates));
        let error = predicted - if truth { 1.0 } else { 0.0 };
        for (feature, value) in features {
            let coordinate = self.coordinates.entry(*feature).or_default();
            coordinate.learn(error * value, rates);
        }
    }
}

impl Coordinate {
    fn weight(&self, rates: Rates) -> f32 {
        if self.z.abs() <= rates.l1 {
            return 0.0;
        }
        (self.z.signum() * rates.l1 - self.z) / ((rates.beta + self.n.sqrt()) / rates.alpha + rates.l2)
    }

    fn learn(&mut self, gradient: f32, rates: Rates) {
        let squared = gradient * gradient;
        let sigma = ((self.n + squared).sqrt() - self.n.sqrt()) / rates.alpha;
        self.z += gradient - sigma * self.weight(rates);
        self.n += squared;
    }
}

#[cfg(test)]
mod tests {
    use linfa::ParamGuard as _;
    use linfa::traits::FitWith as _;
    use linfa_ftrl::{Ftrl as Reference, FtrlParams};
    use ndarray::{Array1, Array2};
    use proptest::prelude::*;
    use rand_xoshiro::Xoshiro256Plus;
    use rand_xoshiro::rand_core::SeedableRng as _;

    use super::*;

    #[test]
    fn the_weights_are_those_of_linfa() {
        let params = FtrlParams::<f64, _>::default_with_rng(Xoshiro256Plus::seed_from_u64(7))
            .alpha(0.4)
            .beta(0.8)
            .l1_ratio(0.3)
            .l2_ratio(0.2)
            .check()
            .unwrap();
        let rates = Rates { alpha: 0.4, beta: 0.8, l1: 0.3, l2: 0.2 };
        let mut reference = Reference::new(params.clone(), 4);
        // The reference starts from random weights; so do we, from the same ones.
        let mut ours = Ftrl::default();
        for (feature, z) in reference.z().iter().enumerate() {
            ours.coordinates.insert(feature as u32, Coordinate { z: *z as f32, n: 0.0 });
        }
        for step in 0..200_u32 {
            let x: Vec<f64> = (0..4).map(|i| f64::from((step * (i + 3) + i * i) % 7) / 3.5 - 0.8).collect();
            let truth = x[0] + 0.5 * x[1] - x[3] > 0.1;
            let row = Array2::from_shape_vec((1, 4), x.clone()).unwrap();
            let dataset = linfa::DatasetBase::new(row, Array1::from(vec![truth]));
            reference = params.fit_with(Some(reference), &dataset).unwrap();
            let features: Features =
                x.iter().enumerate().map(|(i, value)| (i as u32, *value as f32)).collect();
            ours.learn(&features, 0.0, truth, rates);
        }
        for (feature, weight) in reference.get_weights().iter().enumerate() {
            let ours = ours.weight(feature as u32, rates);
            assert!((f64::from(ours) - weight).abs() < 1e-3, "{feature}: {ours}, not {weight}");
        }
        assert!(reference.get_weights().iter().any(|weight| weight.abs() > 0.5));
    }

    proptest! {
        #[test]
        fn whatever_is_learnt_weights_stay_finite(
            examples in proptest::collection::vec(
                (proptest::collection::vec((0_u32..9, -1.0_f32..1.0), 0..6), any::<bool>(), -20.0_f32..20.0), 0..60)
        ) {
            let mut model = Ftrl::default();
            for (features, truth, offset) in &examples {
                model.learn(features, *offset, *truth, RATES);
                prop_assert!(model.score(features, RATES).is_finite());
            }
        }
    }
}
