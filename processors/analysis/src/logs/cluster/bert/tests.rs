//! Tests of the BERT embedder: on a small model made here, and on all-MiniLM-L6-v2 if the environment says where it is.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use serde_json::json;

use super::*;

const VOCABULARY: &str = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nconnection\nrefused\nreset\n";

fn shape(change: &[(&str, serde_json::Value)]) -> Shape {
    let mut shape = json!({
        "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 16,
        "vocab_size": 7, "layer_norm_eps": 1e-12, "hidden_act": "gelu", "model_type": "bert"
    });
    for (key, value) in change {
        shape[key] = value.clone();
    }
    serde_json::from_value(shape).unwrap()
}

/// Weights of a small model, as a safetensors file: any numbers, always the same.
fn weights(prefix: &str) -> Vec<u8> {
    let mut tensors: HashMap<String, Tensor> = HashMap::new();
    let mut add = |name: String, dims: &[usize]| {
        let n: usize = dims.iter().product();
        let values: Vec<f32> =
            (0..n).map(|i| ((i * 37 + name.len() * 11) % 23) as f32 / 23.0 - 0.45).collect();
        tensors.insert(format!("{prefix}{name}"), Tensor::from_vec(values, dims, &Device::Cpu).unwrap());
    };
    add("embeddings.word_embeddings.weight".to_owned(), &[7, 8]);
    add("embeddings.position_embeddings.weight".to_owned(), &[16, 8]);
    add("embeddings.token_type_embeddings.weight".to_owned(), &[2, 8]);
    let norm = |name: &str| [format!("{name}.weight"), format!("{name}.bias")];
    for name in norm("embeddings.LayerNorm") {
        add(name, &[8]);
    }
    for layer in 0..2 {
        let parts = [
            ("attention.self.query", 8, 8),
            ("attention.self.key", 8, 8),
            ("attention.self.value", 8, 8),
            ("attention.output.dense", 8, 8),
            ("intermediate.dense", 16, 8),
            ("output.dense", 8, 16),
        ];
        for (part, out, into) in parts {
            add(format!("encoder.layer.{layer}.{part}.weight"), &[out, into]);
            add(format!("encoder.layer.{layer}.{part}.bias"), &[out]);
        }
        for part in ["attention.output.LayerNorm", "output.LayerNorm"] {
            for name in norm(&format!("encoder.layer.{layer}.{part}")) {
                add(name, &[8]);
            }
        }
    }
    let views = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.to_dtype(DType::F32).unwrap()));
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("model.safetensors");
    candle_core::safetensors::save(&views.collect(), &path).unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn a_model_gives_vectors_of_length_one_that_depend_on_the_words() {
    let mut bert = Bert::new(&shape(&[]), VOCABULARY, &weights("")).unwrap();
    let refused = bert.embed("connection refused").unwrap();
    assert!((refused.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
    assert_eq!(refused, bert.embed("ECONNREFUSED").unwrap());
    assert_ne!(refused, bert.embed("connection reset").unwrap());
    assert_eq!(bert.embed(&"connection ".repeat(500)).unwrap().len(), 8);
}

#[test]
fn weights_may_have_a_prefix_and_the_id_tells_them_apart() {
    let plain = Bert::new(&shape(&[]), VOCABULARY, &weights("")).unwrap();
    let mut prefixed = Bert::new(&shape(&[]), VOCABULARY, &weights("bert.")).unwrap();
    assert_ne!(plain.id(), prefixed.id());
    assert!(prefixed.embed("connection reset").unwrap().iter().all(|x| x.is_finite()));
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let weights = weights("");
    let refused = |change: &[(&str, serde_json::Value)], vocabulary: &str, weights: &[u8]| {
        Bert::new(&shape(change), vocabulary, weights).err().unwrap().to_string()
    };
    assert!(refused(&[("hidden_act", json!("relu"))], VOCABULARY, &weights).contains("relu"));
    assert!(refused(&[("num_attention_heads", json!(3))], VOCABULARY, &weights).contains("shape"));
    assert!(refused(&[("vocab_size", json!(9))], VOCABULARY, &weights).contains("belong"));
    assert!(refused(&[("num_hidden_layers", json!(3))], VOCABULARY, &weights).contains("layer.2"));
    assert!(refused(&[], &format!("{VOCABULARY}more\n"), &weights).contains("vocab.txt"));
    assert!(refused(&[], VOCABULARY, &weights[..100]).contains("load"));
    let nowhere = Bert::open(std::path::Path::new("/no/such/model")).err().unwrap().to_string();
    assert!(nowhere.contains("config.json"));
}

/// The model to test with: a directory named in `WATCHFIRE_MINILM`.
fn minilm() -> Option<Bert> {
    let directory = std::env::var_os("WATCHFIRE_MINILM");
    if directory.is_none() {
        println!("SKIPPED: WATCHFIRE_MINILM does not name a directory with all-MiniLM-L6-v2");
    }
    Some(Bert::open(std::path::Path::new(&directory?)).unwrap())
}

/// The first 32 elements of vectors computed from the same weights in double precision with NumPy, on pieces of the
/// model's own tokenizer; an int8 ONNX export of the model has cosines above 0.999 with them.
const REFERENCE: &str = include_str!("../../../../testdata/minilm_reference.json");

#[test]
fn minilm_gives_the_vectors_of_its_reference() {
    let Some(bert) = minilm() else { return };
    let reference: HashMap<String, Vec<f32>> = serde_json::from_str(REFERENCE).unwrap();
    assert!(reference.len() >= 8);
    for (text, expected) in reference {
        let vector = bert.encode(&text).unwrap();
        let distance = vector.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(distance < 2e-5, "{text}: {distance}");
    }
}

/// The model without our expansion of technical spelling, to compare.
struct Raw(Bert);

impl Embedder for Raw {
    fn id(&self) -> &str {
        "raw"
    }

    fn similarity(&self) -> f32 {
        self.0.similarity()
    }

    fn embed(&mut self, text: &str) -> Result<Vec<f32>, EmbedError> {
        self.0.encode(&text.replace("<*>", " "))
    }
}

/// `WATCHFIRE_MINILM=... cargo test -p analysis --features bert minilm -- --nocapture` prints the lines of docs/benchmarks.md.
#[test]
fn minilm_tells_the_pairs_apart() {
    let (Some(expanded), Some(raw)) = (minilm(), minilm()) else { return };
    super::super::tests::report("MiniLM, raw text", &mut Raw(raw));
    let mut expanded = expanded;
    let [precision, recall, _] = super::super::tests::report("MiniLM, expanded", &mut expanded);
    assert!(precision >= 0.7 && recall >= 0.4, "worse than it was");
}
