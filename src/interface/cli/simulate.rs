//! `baton sim`: the simulated fleet as servers of their own, for other programs and for trying things out.

use serde::Serialize;

use super::args::{Global, SimArgs};
use super::error::{CliError, Exit};
use super::print::Printer;
use super::session::{Ends, configuration, runtime};
use crate::domain::fleet::{Endpoint, Fleet};
use crate::engine::simulator::{Faults, Simulator, SimulatorConfig};

/// A fleet file.
#[derive(Serialize)]
struct FleetFile<'a> {
    name: &'a str,
    /// The endpoints of the layers below are not used: real and simulated never mix.
    replace: bool,
    endpoint: &'a [Endpoint],
}

/// Serves until a signal.
///
/// # Errors
/// [`CliError`].
pub(crate) fn simulate(args: &SimArgs, global: &Global, printer: &mut Printer) -> Result<Exit, CliError> {
    let config = configuration(global)?;
    let plan = planned(&config.fleet, args, global.seed)?;
    let faults: Vec<String> = plan.endpoints.iter().map(|e| e.faults.to_string()).collect();
    runtime()?.block_on(async {
        let mut ends = Ends::listen()?;
        let simulator = Simulator::start(plan).await?;
        let fleet = simulator.fleet(&config.fleet);
        let file = FleetFile { name: "simulated", replace: true, endpoint: &fleet.endpoints };
        let text = toml::to_string(&file)
            .map_err(|error| CliError::Usage(format!("the fleet file could not be written: {error}")))?;
        printer.data(&format!("# Baton's simulated fleet, as long as `baton sim` runs: baton --fleet FILE\n{text}"));
        for (endpoint, faults) in fleet.endpoints.iter().zip(&faults) {
            let faults = if faults.is_empty() { String::new() } else { format!("  {faults}") };
            printer.words(&format!(
                "{:<12} {}  {} slots{faults}",
                endpoint.name.as_str(),
                endpoint.url,
                endpoint.slots
            ));
        }
        printer.words("SIMULATED: every answer is made up. ctrl-c ends it.");
        let number = ends.next().await;
        drop(simulator);
        Ok(Exit::Signal(number))
    })
}

fn planned(fleet: &Fleet, args: &SimArgs, seed: u64) -> Result<SimulatorConfig, CliError> {
    if !(args.speed.is_finite() && args.speed > 0.0) {
        return Err(CliError::Usage("--speed: give a number above 0, as in 10".to_owned()));
    }
    let mut plan = SimulatorConfig::for_fleet(fleet, seed).with_speed(args.speed);
    if let Some(base) = args.port_base {
        for (i, endpoint) in plan.endpoints.iter_mut().enumerate() {
            let port = u16::try_from(i).ok().and_then(|i| base.checked_add(i));
            endpoint.port = port.ok_or_else(|| {
                CliError::Usage(format!("--port-base {base}: there are not enough ports after it; choose a lower one"))
            })?;
        }
    }
    for line in &args.faults {
        let Some((name, faults)) = line.split_once(':') else {
            let mend = "write ENDPOINT:FAULTS, as in 'athene:error=0.1,die=20s'";
            return Err(CliError::Usage(format!("--faults {line}: {mend}")));
        };
        let faults: Faults = faults.parse().map_err(|error| CliError::Faults { line: line.clone(), error })?;
        let known: Vec<String> = plan.endpoints.iter().map(|e| e.name.to_string()).collect();
        let Some(endpoint) = plan.endpoints.iter_mut().find(|e| e.name.as_str() == name.trim()) else {
            let known = known.join(", ");
            return Err(CliError::Usage(format!("--faults {line}: there is no endpoint {name}; there are {known}")));
        };
        endpoint.faults = faults;
    }
    Ok(plan)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fleet::{Api, Nature, Protocol};
    use crate::domain::protocol::Name;

    fn fleet() -> Fleet {
        let endpoint = |name: &str| Endpoint {
            name: Name::slug(name),
            title: None,
            tiers: vec![Name::slug("t")],
            protocol: Protocol::LlamaCpp,
            url: "http://127.0.0.1:1".into(),
            model: "m".into(),
            slots: 2,
            context: 4096,
            api: Api::Chat,
            key: None,
            level: None,
            memory_gb: None,
            tokens_per_second: Some(10.0),
            vision: false,
            tools: false,
            nature: Nature::Real,
            price: None,
            launch: None,
        };
        Fleet { endpoints: vec![endpoint("a"), endpoint("b")], ..Fleet::default() }
    }

    #[test]
    fn ports_and_faults_go_where_they_were_sent() {
        let faults = vec!["b:error=0.5,claims=6,slowdown=5s:4,others=1@1s-9s".into()];
        let args = SimArgs { speed: 5.0, faults, port_base: Some(9000) };
        let plan = planned(&fleet(), &args, 1).unwrap();
        assert_eq!((plan.endpoints[1].slots, plan.endpoints[1].faults.claims), (2, Some(6)));
        assert!(plan.endpoints[1].faults.slowdown.is_some() && plan.endpoints[1].faults.others.is_some());
        assert_eq!(plan.endpoints.iter().map(|e| e.port).collect::<Vec<_>>(), [9000, 9001]);
        assert_eq!(plan.endpoints.iter().map(|e| e.faults.error_rate).collect::<Vec<_>>(), [0.0, 0.5]);
        for (faults, words) in [("b", "write ENDPOINT:FAULTS"), ("c:error=1", "there are a, b"), ("a:eror=1", "eror")] {
            let args = SimArgs { faults: vec![faults.into()], ..args.clone() };
            let error = planned(&fleet(), &args, 1).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage);
            assert!(error.to_string().contains(words), "{error}");
        }
        let args = SimArgs { port_base: Some(65_535), ..args };
        assert!(planned(&fleet(), &args, 1).is_err());
    }
}
