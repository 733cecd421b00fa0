//! A battery, as Linux and macOS tell of it.
//!
//! Not here: when it is asked, what a low one means. A machine without a battery has none; one that can't be read is told
//! as none, since nothing depends on a guess.

use std::path::Path;

use crate::domain::protocol::{Battery, Supply};

/// Of Linux's folder of power supplies, `/sys/class/power_supply`. A mouse's or a headset's is not the machine's.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "asked on Linux; tested anywhere"))]
pub(super) fn of_supplies(folder: &Path) -> Option<Battery> {
    let entries = std::fs::read_dir(folder).ok()?;
    let (mut charges, mut discharges, mut mains) = (Vec::new(), false, false);
    for entry in entries.flatten() {
        let told = |file: &str| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default().trim().to_owned();
        match told("type").as_str() {
            "Battery" if told("scope") != "Device" && told("present") != "0" => {
                charges.extend(told("capacity").parse::<u32>().ok().filter(|percent| *percent <= 100));
                discharges |= told("status") == "Discharging";
            }
            "Mains" | "USB" => mains |= told("online") == "1",
            _ => {}
        }
    }
    let percent = charges.iter().sum::<u32>().checked_div(u32::try_from(charges.len()).ok()?)?;
    let supply = if discharges && !mains { Supply::Battery } else { Supply::Mains };
    Some(Battery { percent: u8::try_from(percent).ok()?, supply })
}

/// Of what `pmset -g batt` prints on macOS.
#[cfg_attr(not(target_os = "macos"), allow(dead_code, reason = "asked on macOS; tested anywhere"))]
pub(super) fn of_pmset(text: &str) -> Option<Battery> {
    let supply = if text.lines().next()?.contains("'Battery Power'") { Supply::Battery } else { Supply::Mains };
    let own = text.lines().find(|line| line.trim_start().starts_with("-InternalBattery"))?;
    let percent = own.split_once('%')?.0.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    (percent <= 100).then_some(Battery { percent, supply })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_tells_charge_and_supply_and_a_mouse_is_no_battery_of_the_machine() {
        let folder = tempfile::tempdir().unwrap();
        let put = |supply: &str, files: &[(&str, &str)]| {
            std::fs::create_dir_all(folder.path().join(supply)).unwrap();
            for (file, text) in files {
                std::fs::write(folder.path().join(supply).join(file), format!("{text}\n")).unwrap();
            }
        };
        assert_eq!(of_supplies(folder.path()), None);
        put("mouse", &[("type", "Battery"), ("scope", "Device"), ("capacity", "3"), ("status", "Discharging")]);
        put("AC", &[("type", "Mains"), ("online", "0")]);
        assert_eq!(of_supplies(folder.path()), None);
        put("BAT0", &[("type", "Battery"), ("present", "1"), ("capacity", "18"), ("status", "Discharging")]);
        assert_eq!(of_supplies(folder.path()), Some(Battery { percent: 18, supply: Supply::Battery }));
        put("BAT1", &[("type", "Battery"), ("capacity", "40"), ("status", "Unknown")]);
        assert_eq!(of_supplies(folder.path()), Some(Battery { percent: 29, supply: Supply::Battery }));
        put("AC", &[("online", "1")]);
        assert_eq!(of_supplies(folder.path()), Some(Battery { percent: 29, supply: Supply::Mains }));
        assert_eq!(of_supplies(&folder.path().join("none")), None);
    }

    #[test]
    fn macos_tells_charge_and_supply() {
        let on = "Now drawing from 'Battery Power'\n -InternalBattery-0 (id=4522083)\t85%; discharging; 3:42 remaining present: true\n";
        assert_eq!(of_pmset(on), Some(Battery { percent: 85, supply: Supply::Battery }));
        let off = on.replace("Battery Power", "AC Power").replace("85%", "100%");
        assert_eq!(of_pmset(&off), Some(Battery { percent: 100, supply: Supply::Mains }));
        assert_eq!(of_pmset("Now drawing from 'AC Power'\n"), None, "a desktop");
        assert_eq!(of_pmset(""), None);
    }
}
