//! What a server's `/metrics` tells of its requests now.
//!
//! Not here: its counters, and the averages that a look resets (llama.cpp's `*_seconds` gauges). Format: Prometheus' text,
//! a line each. Invariant: what is no whole number at or above 0 is not told.

/// The gauge of that name, summed over its lines about `model`; lines that name no model count for any.
pub(super) fn gauge(text: &str, name: &str, model: &str) -> Option<u32> {
    let about = |line: &str| {
        let rest = line.strip_prefix(name)?;
        let (labels, value) = match rest.strip_prefix('{') {
            // A label's value may hold a brace, and no value of a sample does.
            Some(rest) => rest.rsplit_once('}')?,
            None if rest.starts_with([' ', '\t']) => ("", rest),
            None => return None,
        };
        let named = label(labels, "model_name");
        if named.is_some_and(|named| named != model) {
            return None;
        }
        let value: f64 = value.split_whitespace().next()?.parse().ok()?;
        (value >= 0.0 && value <= f64::from(u32::MAX)).then_some(value as u32)
    };
    text.lines().filter_map(about).reduce(u32::saturating_add)
}

/// The value of a label. Names with a quote in them, which would stand there escaped, are met as no name of ours.
fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    labels.match_indices(name).find_map(|(at, _)| {
        let begins = at == 0 || labels[..at].ends_with([',', ' ']);
        let value = labels[at + name.len()..].strip_prefix("=\"").filter(|_| begins)?;
        value.split('"').next()
    })
}

#[cfg(test)]
mod tests {
    use super::gauge;

    #[test]
    fn gauges_are_summed_over_a_models_lines() {
        let text = "# HELP vllm:num_requests_waiting Waiting.\n# TYPE vllm:num_requests_waiting gauge\n\
            vllm:num_requests_waiting{engine=\"0\",model_name=\"org/m\"} 2.0\n\
            vllm:num_requests_waiting{engine=\"1\",model_name=\"org/m\"} 3\n\
            vllm:num_requests_waiting{engine=\"0\",model_name=\"other\"} 40\n\
            vllm:num_requests_waiting_by_reason{reason=\"capacity\",model_name=\"org/m\"} 500\n\
            llamacpp:requests_deferred 7\n";
        assert_eq!(gauge(text, "vllm:num_requests_waiting", "org/m"), Some(5));
        assert_eq!(gauge(text, "vllm:num_requests_waiting", "nobody"), None);
        assert_eq!(gauge(text, "llamacpp:requests_deferred", "any"), Some(7));
        assert_eq!(gauge(text, "llamacpp:requests", "any"), None);
    }

    #[test]
    fn what_is_no_number_is_not_told() {
        for value in ["NaN", "-1", "+Inf", "1e30", "", "x"] {
            assert_eq!(gauge(&format!("g {value}\n"), "g", "m"), None, "{value}");
        }
        assert_eq!(gauge("g{", "g", "m"), None);
        assert_eq!(gauge("g{model_name=} 1", "g", "m"), Some(1));
        assert_eq!(gauge("g 1.0 1795171509", "g", "m"), Some(1), "a time may follow");
    }
}
