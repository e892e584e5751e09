//! Data that grow old: a hold that lasts is told of again and again, and ends in SERVFAIL where the
//! policy of the zone says when. By the monotonic clock: what the calendar says is nobody's age.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::rr::Name;
use crate::zone::Published;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
/// When a hold is told of again; then every day.
const STEPS: [Duration; 4] = [
    MINUTE,
    Duration::from_secs(600),
    Duration::from_secs(3_600),
    Duration::from_secs(6 * 3_600),
];
/// From when on `status` speaks of it beside the zone's own line.
const LONG: Duration = STEPS[1];

#[derive(Default)]
pub(super) struct Alarms {
    next: Option<Instant>,
    /// Since when each zone holds, and when it is to be told of again.
    held: HashMap<Name, (Instant, Instant)>,
}

/// What there is to say.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Raised {
    /// For the log: zone, age, what is wrong.
    pub told: Vec<(Name, Duration, String)>,
    /// Zones that have held for long.
    pub long: Vec<(Name, Duration)>,
    /// Zones whose data are now older than their policy lets them be, or, by another policy, are not.
    pub turned: Vec<(Name, bool)>,
}

impl Alarms {
    /// `None` where it was looked a moment ago.
    pub(super) fn look(
        &mut self,
        published: &Published,
        max_age: impl Fn(&Name) -> Option<Duration>,
        now: Instant,
    ) -> Option<Raised> {
        if self.next.is_some_and(|next| now < next) {
            return None;
        }
        self.next = Some(now + EVERY);
        let mut raised = Raised::default();
        let mut held = HashMap::new();
        for served in published.zones() {
            let Some(zone) = served.zone() else { continue };
            let Some(hold) = &zone.hold else { continue };
            let (origin, since) = (served.origin(), hold.since);
            let age = now.saturating_duration_since(since);
            let next = match self.held.remove(origin) {
                Some((known, next)) if known == since => next,
                _ => since + STEPS[0],
            };
            let next = match now < next {
                true => next,
                false => {
                    raised.told.push((origin.clone(), age, hold.reason.clone()));
                    since + after(age)
                }
            };
            if age >= LONG {
                raised.long.push((origin.clone(), age));
            }
            let is_over = max_age(origin).is_some_and(|max| age > max);
            if hold.is_expired != is_over {
                raised.turned.push((origin.clone(), is_over));
            }
            held.insert(origin.clone(), (since, next));
        }
        self.held = held;
        Some(raised)
    }
}

/// The next step after this age.
fn after(age: Duration) -> Duration {
    let step = STEPS.iter().find(|step| **step > age);
    step.copied().unwrap_or_else(|| {
        let days = age.as_secs() / DAY.as_secs() + 1;
        Duration::from_secs(days * DAY.as_secs())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish;
    use crate::zone::ZoneImage;

    #[test]
    fn a_hold_that_lasts_is_told_of_again_and_expires_only_where_that_is_asked_for() {
        let names: [Name; 2] = ["a.".parse().unwrap(), "b.".parse().unwrap()];
        let mut view = Published::default();
        for name in &names {
            view = publish::live(&view, ZoneImage::empty(name.clone()), 1);
            view = publish::held(&view, name, "rows gone");
        }
        let start = Instant::now();
        let max_age = |zone: &Name| (*zone == names[1]).then_some(2 * MINUTE);
        let mut alarms = Alarms::default();
        let (mut told, mut expired) = (Vec::new(), 0);
        for second in 0..3 * 86_400 {
            let now = start + Duration::from_secs(second);
            let raised = alarms.look(&view, max_age, now).unwrap();
            let of_a = raised.told.iter().filter(|(zone, ..)| *zone == names[0]);
            told.extend(of_a.map(|(_, age, _)| *age));
            assert_eq!(raised.long.len(), if second < 600 { 0 } else { 2 });
            if !raised.turned.is_empty() {
                assert_eq!(raised.turned, [(names[1].clone(), true)]);
                assert!(second >= 120);
                expired += 1;
                view = publish::aged(&view, &names[1], true);
            }
        }
        assert_eq!(expired, 1);
        let rounded: Vec<u64> = told.iter().map(|age| age.as_secs() / 60).collect();
        assert_eq!(rounded, [1, 10, 60, 360, 1_440, 2_880]);
        assert_eq!(
            alarms.look(&view, max_age, start),
            None,
            "not twice a second"
        );
        let later = start + 4 * DAY;
        let raised = alarms.look(&view, |_| None, later).unwrap();
        assert_eq!(raised.turned, [(names[1].clone(), false)], "by a reload");
    }
}
