//! The settings that limit guessing.

use std::time::Duration;

use auth_core::ThrottleLimits;

use super::{Reader, duration, on_off, switch};
use crate::config::{Profile, Setting};

impl Reader {
    /// The limits, checked also where they are switched off.
    pub(super) fn throttle(&mut self, profile: Profile) -> Option<ThrottleLimits> {
        let on = self.take_shown(Setting::Throttle, profile != Profile::Test, |on| on_off(*on), switch);
        let mut limits = ThrottleLimits::default();
        limits.account = self.number(Setting::ThrottleAccount, limits.account);
        limits.network = self.number(Setting::ThrottleNetwork, limits.network);
        limits.registrations = self.number(Setting::ThrottleRegistrations, limits.registrations);
        limits.free = self.number(Setting::ThrottleFree, limits.free);
        limits.max_delay = self.span(Setting::ThrottleMaxDelay, limits.max_delay);
        limits.known_for = self.span(Setting::ThrottleKnownFor, limits.known_for);
        for problem in limits.problems() {
            let setting = match problem.field {
                "account" => Setting::ThrottleAccount,
                "network" => Setting::ThrottleNetwork,
                "registrations" => Setting::ThrottleRegistrations,
                "free" => Setting::ThrottleFree,
                "max_delay" => Setting::ThrottleMaxDelay,
                "known_for" => Setting::ThrottleKnownFor,
                _ => Setting::Throttle,
            };
            self.problem(setting, problem.rule);
        }
        on.then_some(limits)
    }

    fn number(&mut self, setting: Setting, default: u32) -> u32 {
        self.take(setting, default, |text| text.parse().map_err(|_| "must be a whole number"))
    }

    fn span(&mut self, setting: Setting, default: Duration) -> Duration {
        let show = |span: &Duration| duration::format(*span);
        self.take_shown(setting, default, show, |text| {
            duration::parse(text).ok_or("must be a duration such as 15m or 30d")
        })
    }
}
