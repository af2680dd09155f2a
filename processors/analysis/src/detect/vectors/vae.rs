//! A variational autoencoder (Kingma and Welling 2014): a frame is squeezed through a few numbers and rebuilt; what cannot be rebuilt is
//! unlike what was seen before.
//!
//! In: standardised frames. Out: for a frame, each metric's error of reconstruction in its own usual sizes. Trained by Adam (Kingma and Ba 2015) in small
//! steps, one after a frame, so that no frame waits for training. Own and not a library's: two hidden layers of 24 numbers need
//! none, and this trains the same on every machine.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::linear::dot;
use super::random::Random;

/// Numbers in the hidden layers, and in between.
const HIDDEN: usize = 24;
const LATENT: usize = 4;
/// Frames of one training step.
const BATCH: usize = 16;
/// How much the latent numbers are drawn to a normal distribution. Frames are standardised, and most of their variance is noise.
const DIVERGENCE: f32 = 0.05;
/// Step size of Adam, and its usual memories.
const STEP: f32 = 0.003;
const FIRST: f32 = 0.9;
const SECOND: f32 = 0.999;
/// Inputs are cut off here: what is far out is to be rebuilt badly.
const CLIP: f32 = 5.0;
/// A metric's usual error is not below this, in standard deviations.
const LEAST: f32 = 0.03;
/// Frames that usual errors are taken from.
const JUDGED: usize = 128;
/// Frames that pass in one piece of work, and not in training.
const PIECE: usize = 16;

/// A linear layer: `outputs` rows of weights.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Layer {
    inputs: usize,
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Layer {
    fn new(inputs: usize, outputs: usize, random: &mut Random) -> Self {
        // Glorot and Bengio 2010.
        let reach = (6.0 / (inputs + outputs) as f32).sqrt();
        let weights = (0..inputs * outputs).map(|_| reach * (2.0 * random.unit() as f32 - 1.0)).collect();
        Self { inputs, weights, bias: vec![0.0; outputs] }
    }

    fn forward(&self, input: &[f32], output: &mut Vec<f32>) {
        output.clear();
        let rows = self.weights.chunks_exact(self.inputs).zip(&self.bias);
        output.extend(rows.map(|(row, bias)| bias + dot(row, input)));
    }

    /// Adds this example's gradient to `gradient`, and gives that of the input.
    fn backward(&self, input: &[f32], above: &[f32], gradient: &mut Self, below: &mut Vec<f32>) {
        below.clear();
        below.resize(self.inputs, 0.0);
        for (at, &slope) in above.iter().enumerate() {
            let range = at * self.inputs..(at + 1) * self.inputs;
            gradient.bias[at] += slope;
            gradient.weights[range.clone()].iter_mut().zip(input).for_each(|(g, x)| *g += slope * x);
            below.iter_mut().zip(&self.weights[range]).for_each(|(b, w)| *b += slope * w);
        }
    }

    fn zero(&self) -> Self {
        Self { inputs: self.inputs, weights: vec![0.0; self.weights.len()], bias: vec![0.0; self.bias.len()] }
    }
}

/// The network: two layers down to means and logarithms of variances, two layers up.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Network([Layer; 4]);

/// What went through a network for one frame.
#[derive(Clone, Debug, Default)]
struct Pass {
    input: Vec<f32>,
    hidden: [Vec<f32>; 2],
    latent: Vec<f32>,
    drawn: Vec<f32>,
    output: Vec<f32>,
    slopes: [Vec<f32>; 2],
}

impl Network {
    fn new(width: usize, random: &mut Random) -> Self {
        let mut layer = |inputs, outputs| Layer::new(inputs, outputs, random);
        let [down, middle] = [layer(width, HIDDEN), layer(HIDDEN, 2 * LATENT)];
        Self([down, middle, layer(LATENT, HIDDEN), layer(HIDDEN, width)])
    }

    /// Rebuilds a frame; `noise` gives what is added to the latent means, in standard deviations.
    fn forward(&self, z: &[f32], pass: &mut Pass, mut noise: impl FnMut() -> f32) {
        pass.input.clear();
        pass.input.extend(z.iter().map(|value| value.clamp(-CLIP, CLIP)));
        self.0[0].forward(&pass.input, &mut pass.hidden[0]);
        pass.hidden[0].iter_mut().for_each(|value| *value = value.tanh());
        self.0[1].forward(&pass.hidden[0], &mut pass.latent);
        pass.latent[LATENT..].iter_mut().for_each(|value| *value = value.clamp(-10.0, 4.0));
        pass.drawn.clear();
        for at in 0..LATENT {
            pass.drawn.push(pass.latent[at] + (0.5 * pass.latent[LATENT + at]).exp() * noise());
        }
        self.0[2].forward(&pass.drawn, &mut pass.hidden[1]);
        pass.hidden[1].iter_mut().for_each(|value| *value = value.tanh());
        self.0[3].forward(&pass.hidden[1], &mut pass.output);
    }

    /// Adds the gradient of half the squared error and the divergence, for the frame that went through last.
    fn backward(&self, pass: &mut Pass, gradient: &mut Self) {
        let [mut above, mut below] = std::mem::take(&mut pass.slopes);
        above.clear();
        above.extend(pass.output.iter().zip(&pass.input).map(|(output, input)| output - input));
        self.0[3].backward(&pass.hidden[1], &above, &mut gradient.0[3], &mut below);
        below.iter_mut().zip(&pass.hidden[1]).for_each(|(slope, h)| *slope *= 1.0 - h * h);
        self.0[2].backward(&pass.drawn, &below, &mut gradient.0[2], &mut above);
        below.clear();
        below.resize(2 * LATENT, 0.0);
        for at in 0..LATENT {
            let (mean, log_variance) = (pass.latent[at], pass.latent[LATENT + at]);
            below[at] = above[at] + DIVERGENCE * mean;
            // What was drawn beyond the mean is the noise times the standard deviation, of which the slope is one half.
            below[LATENT + at] =
                0.5 * above[at] * (pass.drawn[at] - mean) + 0.5 * DIVERGENCE * (log_variance.exp() - 1.0);
        }
        self.0[1].backward(&pass.hidden[0], &below, &mut gradient.0[1], &mut above);
        above.iter_mut().zip(&pass.hidden[0]).for_each(|(slope, h)| *slope *= 1.0 - h * h);
        self.0[0].backward(&pass.input, &above, &mut gradient.0[0], &mut below);
        pass.slopes = [above, below];
    }

    fn zero(&self) -> Self {
        Self(self.0.each_ref().map(Layer::zero))
    }

    fn numbers(&mut self) -> impl Iterator<Item = &mut f32> {
        self.0.iter_mut().flat_map(|layer| layer.weights.iter_mut().chain(&mut layer.bias))
    }
}

/// A network in training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Training {
    network: Network,
    first: Network,
    second: Network,
    steps: u32,
    random: Random,
}

impl Training {
    /// Multiplications of a step on frames of this width.
    pub(super) const fn cost(width: usize) -> u64 {
        // Forward, backward in two directions; and ten operations for each weight in the end.
        ((3 * BATCH + 10) * passing(width)) as u64
    }

    /// One step on frames drawn from `rows`, all of `width`. A change of the width begins anew.
    pub(super) fn step(&mut self, rows: usize, width: usize, row: impl Fn(usize, &mut Vec<f32>)) {
        if rows == 0 || width == 0 {
            return;
        }
        if self.network.0[0].inputs != width {
            self.network = Network::new(width, &mut self.random);
            (self.first, self.second, self.steps) = (self.network.zero(), self.network.zero(), 0);
        }
        let mut gradient = self.network.zero();
        let (mut pass, mut frame) = (Pass::default(), Vec::new());
        for _ in 0..BATCH {
            row(self.random.below(rows as u64) as usize, &mut frame);
            let random = &mut self.random;
            self.network.forward(&frame, &mut pass, || normal(random));
            self.network.backward(&mut pass, &mut gradient);
        }
        self.descend(&mut gradient);
    }

    fn descend(&mut self, gradient: &mut Network) {
        self.steps = self.steps.saturating_add(1);
        let steps = self.steps.min(100_000) as i32;
        let (bias1, bias2) = (1.0 - FIRST.powi(steps), 1.0 - SECOND.powi(steps));
        let moments = self.first.numbers().zip(self.second.numbers());
        for ((weight, (first, second)), slope) in self.network.numbers().zip(moments).zip(gradient.numbers())
        {
            let slope = *slope / BATCH as f32;
            *first += (1.0 - FIRST) * (slope - *first);
            *second += (1.0 - SECOND) * (slope * slope - *second);
            *weight -= STEP * (*first / bias1) / ((*second / bias2).sqrt() + 1e-8);
        }
    }

    /// The network as it is now, to be measured. `None` before the first step on frames of this width.
    pub(super) fn measure(&self, width: usize) -> Option<Measuring> {
        let is_ready = self.steps > 0 && self.network.0[0].inputs == width;
        is_ready.then(|| Measuring {
            network: self.network.clone(),
            sums: vec![0.0; width],
            judged: 0,
            row: 0,
        })
    }
}

/// Multiplications of a frame that passes through.
const fn passing(width: usize) -> usize {
    HIDDEN * (2 * width + 3 * LATENT + 10)
}

/// A trained network of which usual errors are measured, some frames at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Measuring {
    network: Network,
    sums: Vec<f32>,
    judged: u32,
    row: usize,
}

impl Measuring {
    /// Multiplications of the next piece of work.
    pub(super) const fn cost(&self) -> u64 {
        (PIECE * passing(self.sums.len())) as u64
    }

    /// Passes some of the frames, `rows` in number. Ends when there were enough.
    pub(super) fn advance(&mut self, rows: usize, row: impl Fn(usize, &mut Vec<f32>)) -> ControlFlow<Vae> {
        let every = rows.div_ceil(JUDGED).max(1);
        let (mut pass, mut frame) = (Pass::default(), Vec::new());
        for _ in 0..PIECE {
            if self.row >= rows {
                let (network, count) = (std::mem::take(&mut self.network), self.judged.max(1) as f32);
                let size = self.sums.iter().map(|sum| (sum / count).sqrt().max(LEAST)).collect();
                return ControlFlow::Break(Vae { network, size });
            }
            row(self.row, &mut frame);
            self.network.forward(&frame, &mut pass, || 0.0);
            let errors = frame.iter().zip(&pass.output).map(|(z, output)| z - output);
            self.sums.iter_mut().zip(errors).for_each(|(sum, error)| *sum += error * error);
            self.judged += 1;
            self.row += every;
        }
        ControlFlow::Continue(())
    }
}

/// A trained network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Vae {
    network: Network,
    /// Each metric's usual error.
    size: Vec<f32>,
}

impl Vae {
    /// Each metric's error, in its usual sizes.
    pub(super) fn residuals(&self, z: &[f32]) -> impl Iterator<Item = f32> {
        let mut pass = Pass::default();
        self.network.forward(z, &mut pass, || 0.0);
        let errors: Vec<f32> = z
            .iter()
            .zip(&pass.output)
            .zip(&self.size)
            .map(|((z, output), size)| (z - output) / size)
            .collect();
        errors.into_iter()
    }
}

/// A normal number, by Box and Muller.
fn normal(random: &mut Random) -> f32 {
    let radius = (-2.0 * (1.0 - random.unit()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * random.unit()).cos()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames on a curved surface of two dimensions.
    fn frame(random: &mut Random) -> Vec<f32> {
        let (a, b) = (normal(random), normal(random));
        let noise = |random: &mut Random| 0.05 * normal(random);
        [a, b, a + b, a - b, (2.0 * a).sin(), a.abs() - 0.8].map(|value| value + noise(random)).to_vec()
    }

    #[test]
    fn slopes_are_those_of_the_loss() {
        let mut random = Random::new(5);
        let mut network = Network::new(6, &mut random);
        let z = frame(&mut random);
        let loss = |network: &Network, pass: &mut Pass| {
            network.forward(&z, pass, || 0.3);
            let error: f32 = pass.output.iter().zip(&pass.input).map(|(a, b)| (a - b) * (a - b)).sum();
            let divergence: f32 = (0..LATENT)
                .map(|at| (pass.latent[at], pass.latent[LATENT + at]))
                .map(|(mean, log)| mean * mean + log.exp() - log - 1.0)
                .sum();
            0.5 * error + 0.5 * DIVERGENCE * divergence
        };
        let (mut pass, mut gradient) = (Pass::default(), network.zero());
        loss(&network, &mut pass);
        network.backward(&mut pass, &mut gradient);
        let slopes: Vec<f32> = gradient.numbers().map(|slope| *slope).collect();
        for at in (0..slopes.len()).step_by(7) {
            let mut moved = |by: f32| {
                if let Some(number) = network.numbers().nth(at) {
                    *number += by;
                }
                loss(&network, &mut pass)
            };
            let (up, down) = (moved(0.01), moved(-0.02));
            moved(0.01);
            let slope = (up - down) / 0.02;
            assert!((slope - slopes[at]).abs() < 0.01 + 0.02 * slope.abs(), "{at}: {slope} {}", slopes[at]);
        }
    }

    #[test]
    fn what_fits_is_rebuilt_and_what_does_not_is_not() {
        let mut random = Random::new(6);
        let rows: Vec<Vec<f32>> = (0..512).map(|_| frame(&mut random)).collect();
        let mut training = Training::default();
        let get = |at: usize, row: &mut Vec<f32>| row.clone_from(&rows[at]);
        (0..4000).for_each(|_| training.step(rows.len(), 6, get));
        let mut measuring = training.measure(6).unwrap();
        let work = || measuring.advance(rows.len(), get);
        let vae = std::iter::repeat_with(work).find_map(ControlFlow::break_value).unwrap();
        let error = |z: &[f32]| vae.residuals(z).map(|residual| residual * residual).sum::<f32>();
        let (mut fit, mut odd) = (0.0, 0.0);
        for _ in 0..100 {
            let mut z = frame(&mut random);
            fit += error(&z);
            z[2] = -z[2] + 1.5;
            odd += error(&z);
        }
        assert!(odd > 4.0 * fit, "{fit} {odd}");
    }
}
