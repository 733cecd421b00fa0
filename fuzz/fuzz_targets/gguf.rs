//! A model file's head: facts or an error in words, and a shape of whatever it tells.

#![no_main]

use baton::domain::fleet::CacheSettings;
use baton::engine::providers::gguf;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| match gguf::facts(bytes) {
    Ok(facts) => {
        let shape = facts.shape(CacheSettings::default());
        assert!(shape.weights.is_none() && shape.trained != Some(0));
    }
    Err(error) => assert!(!error.to_string().is_empty()),
});
