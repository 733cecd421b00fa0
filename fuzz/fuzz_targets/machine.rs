//! What systems and their tools print about memory, graphics and processes.

#![no_main]

use baton::engine::machine::{Recorded, apple, local_port, plist, proc, processes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(pages) = apple::Pages::of_vm_stat(text) {
        assert!(pages.used().is_none() || pages.used() >= pages.wired());
    }
    let _swap = apple::Swap::of_sysctl(text);
    let _number = apple::number(text);
    let _plist = plist::Value::read(text);
    for gpu in apple::gpus(text) {
        assert!(gpu.percent.is_none_or(|p| p <= 100));
    }
    let _devices = apple::listed_devices(text);
    let memory = proc::Meminfo::read(text);
    assert!(memory.used() <= memory.total && memory.free_percent().is_none_or(|p| p <= 100));
    let _stalls = proc::Stalls::read(text).map(|s| s.pressure());
    if let Some(ticks) = proc::Ticks::read(text) {
        assert!(ticks.busy <= ticks.all);
    }
    let _process = (proc::parent(text), proc::held(text), proc::socket(text), processes::first_of_lsof(text));
    let _listening = proc::listening(text);
    let _port = local_port(text);
    let _recording = Recorded::read(text);
});
