//! The encoder of BERT (Devlin et al., NAACL 2019), forward only, one text at a time.
//!
//! In: the numbers of a text's pieces. Out: the mean over the vectors of the last layer.

use std::collections::HashMap;

use candle_core::{D, DType, Device, Result, Tensor, bail};
use serde::Deserialize;

/// What `config.json` says about the model's shape.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Shape {
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    max_position_embeddings: usize,
    vocab_size: usize,
    layer_norm_eps: f64,
    hidden_act: String,
}

impl Shape {
    /// The longest text in pieces.
    pub(super) const fn longest(&self) -> usize {
        self.max_position_embeddings
    }

    /// How many pieces the model knows.
    pub(super) const fn n_pieces(&self) -> usize {
        self.vocab_size
    }
}

/// The weights of a safetensors file.
pub(super) struct Weights(HashMap<String, Tensor>);

impl Weights {
    /// Reads them.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        candle_core::safetensors::load_buffer(bytes, &Device::Cpu).map(Self)
    }

    fn take(&mut self, name: &str) -> Result<Tensor> {
        let found = self.0.remove(name).or_else(|| self.0.remove(&format!("bert.{name}")));
        let Some(tensor) = found else { bail!("model.safetensors has no `{name}`") };
        tensor.to_dtype(DType::F32)
    }
}

/// `x * weight + bias`.
struct Linear {
    weight: Tensor,
    bias: Tensor,
}

impl Linear {
    fn load(weights: &mut Weights, name: &str) -> Result<Self> {
        let weight = weights.take(&format!("{name}.weight"))?.t()?.contiguous()?;
        Ok(Self { weight, bias: weights.take(&format!("{name}.bias"))? })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.matmul(&self.weight)?.broadcast_add(&self.bias)
    }
}

/// Layer normalisation (Ba, Kiros, Hinton, 2016).
struct Norm {
    scale: Tensor,
    bias: Tensor,
    epsilon: f64,
}

impl Norm {
    fn load(weights: &mut Weights, name: &str, epsilon: f64) -> Result<Self> {
        let (scale, bias) =
            (weights.take(&format!("{name}.weight"))?, weights.take(&format!("{name}.bias"))?);
        Ok(Self { scale, bias, epsilon })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + self.epsilon)?.sqrt()?;
        centred.broadcast_div(&deviation)?.broadcast_mul(&self.scale)?.broadcast_add(&self.bias)
    }
}

/// One layer: attention, then two linear maps, each added to what came in.
struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attended: Linear,
    attended_norm: Norm,
    wide: Linear,
    narrow: Linear,
    norm: Norm,
    heads: usize,
}

impl Layer {
    fn load(weights: &mut Weights, at: usize, shape: &Shape) -> Result<Self> {
        let name = |part: &str| format!("encoder.layer.{at}.{part}");
        let epsilon = shape.layer_norm_eps;
        Ok(Self {
            query: Linear::load(weights, &name("attention.self.query"))?,
            key: Linear::load(weights, &name("attention.self.key"))?,
            value: Linear::load(weights, &name("attention.self.value"))?,
            attended: Linear::load(weights, &name("attention.output.dense"))?,
            attended_norm: Norm::load(weights, &name("attention.output.LayerNorm"), epsilon)?,
            wide: Linear::load(weights, &name("intermediate.dense"))?,
            narrow: Linear::load(weights, &name("output.dense"))?,
            norm: Norm::load(weights, &name("output.LayerNorm"), epsilon)?,
            heads: shape.num_attention_heads,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let attended = self.attended.forward(&self.attention(x)?)?;
        let x = self.attended_norm.forward(&(x + attended)?)?;
        let mapped = self.narrow.forward(&self.wide.forward(&x)?.gelu_erf()?)?;
        self.norm.forward(&(x + mapped)?)
    }

    fn attention(&self, x: &Tensor) -> Result<Tensor> {
        let (length, width) = x.dims2()?;
        let per_head = width / self.heads;
        let split = |x: Tensor| x.reshape((length, self.heads, per_head))?.transpose(0, 1)?.contiguous();
        let (query, key) = (split(self.query.forward(x)?)?, split(self.key.forward(x)?)?);
        let value = split(self.value.forward(x)?)?;
        let scores = (query.matmul(&key.transpose(1, 2)?.contiguous()?)? / (per_head as f64).sqrt())?;
        softmax(&scores)?.matmul(&value)?.transpose(0, 1)?.contiguous()?.reshape((length, width))
    }
}

fn softmax(x: &Tensor) -> Result<Tensor> {
    let exponents = x.broadcast_sub(&x.max_keepdim(D::Minus1)?)?.exp()?;
    exponents.broadcast_div(&exponents.sum_keepdim(D::Minus1)?)
}

/// The encoder.
pub(super) struct Model {
    pieces: Tensor,
    positions: Tensor,
    norm: Norm,
    layers: Vec<Layer>,
}

impl Model {
    /// Builds the encoder of this shape from its weights.
    pub(super) fn load(shape: &Shape, mut weights: Weights) -> Result<Self> {
        let (width, heads) = (shape.hidden_size, shape.num_attention_heads);
        if shape.hidden_act != "gelu" {
            bail!("the activation `{}` is not supported, only `gelu`", shape.hidden_act);
        }
        if heads == 0 || width == 0 || !width.is_multiple_of(heads) || shape.max_position_embeddings < 2 {
            bail!("config.json has a shape that no model can have");
        }
        let pieces = weights.take("embeddings.word_embeddings.weight")?;
        let positions = weights.take("embeddings.position_embeddings.weight")?;
        if pieces.dims2()? != (shape.vocab_size, width)
            || positions.dims2()? != (shape.max_position_embeddings, width)
        {
            bail!("config.json and model.safetensors do not belong together");
        }
        // There is only one kind of text here; its vector is added to every position.
        let kind = weights.take("embeddings.token_type_embeddings.weight")?.narrow(0, 0, 1)?;
        Ok(Self {
            pieces,
            positions: positions.broadcast_add(&kind)?,
            norm: Norm::load(&mut weights, "embeddings.LayerNorm", shape.layer_norm_eps)?,
            layers: (0..shape.num_hidden_layers)
                .map(|at| Layer::load(&mut weights, at, shape))
                .collect::<Result<_>>()?,
        })
    }

    /// The mean of the last layer's vectors.
    pub(super) fn encode(&self, numbers: &[u32]) -> Result<Vec<f32>> {
        let numbers = Tensor::new(numbers, &Device::Cpu)?;
        let length = numbers.dims1()?;
        let embedded = (self.pieces.index_select(&numbers, 0)? + self.positions.narrow(0, 0, length)?)?;
        let mut x = self.norm.forward(&embedded)?;
        for layer in &self.layers {
            x = layer.forward(&x)?;
        }
        x.mean(0)?.to_vec1()
    }
}
