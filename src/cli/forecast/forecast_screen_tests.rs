//! Tests what `forecast` shows for common policies.

use crate::core::better_keeps::{better_keeps, whole_period};
use crate::core::name_pattern::Pattern;
use crate::core::policy::Rotation;
use crate::core::steady_state_forecast::forecast;
use crate::core::test_provider::{policy, rotation, rules};
use crate::screen_tests::Screens;

use super::{ServerForecast, text};

fn shown(rotations: Vec<Rotation>, width: u16) -> String {
    let (policy, rules) = (policy(7, rotations), rules());
    let from = "2026-11-25T12:00:00Z".parse().expect("a time");
    let forecast = forecast(&policy, &rules, from, whole_period(&policy));
    let server = ServerForecast {
        better: better_keeps(&policy, &rules, &forecast),
        argument: policy.argument(),
        forecast,
    };
    super::tidy(&text::server(&server, false, Some(width)))
}

#[test]
fn common_policies_have_their_screens() {
    let mut screens = Screens::default();
    for (name, rotations) in [
        ("daily", vec![rotation("daily", "30 2 * * *", 5)]),
        (
            "daily and weekly",
            vec![
                rotation("daily", "0 2 * * *", 2),
                rotation("weekly", "0 3 * * Sun", 2),
            ],
        ),
        ("monthly", vec![rotation("monthly", "0 2 1 * *", 3)]),
        (
            "every six hours",
            vec![Rotation {
                pattern: Pattern::new("{name}-%Y-%m-%d-%H", "often").expect("a pattern"),
                ..rotation("often", "0 */6 * * *", 4)
            }],
        ),
        ("never", vec![rotation("leap", "0 2 30 2 *", 1)]),
    ] {
        screens.add(name, |width| shown(rotations.clone(), width));
    }
    screens.compare("forecast.txt");
}
