use super::*;
use proptest::prelude::*;

fn at(rfc3339: &str) -> Timestamp {
    let time = DateTime::parse_from_rfc3339(rfc3339).expect("a time");
    Timestamp::from_millis(time.timestamp_millis())
}

fn calendar(span: Span, zone: &str) -> ZonedCalendar {
    ZonedCalendar::new(span, zone.parse().expect("a zone"))
}

/// The id of the window at a time, and its length in hours.
fn window(zone: &str, span: Span, now: &str) -> (String, u64) {
    let current = compute(span, zone.parse().expect("a zone"), at(now));
    let minutes = current.ends_at.since(current.begins_at) / 60_000;
    assert_eq!(minutes % 60, 0, "whole hours");
    (current.window.id.to_string(), minutes / 60)
}

fn day(zone: &str, now: &str) -> (String, u64) {
    window(zone, Span::Day, now)
}

#[test]
fn a_day_ends_at_midnight_of_its_zone() {
    let berlin = calendar(Span::Day, "Europe/Berlin");
    let window = berlin.window_at(at("2026-11-24T22:59:59.999Z"));
    assert_eq!(&*window.id, "2026-11-24");
    assert_eq!(window.ends_at, Some(at("2026-11-24T23:00:00Z")));
    let next = berlin.window_at(at("2026-11-24T23:00:00Z"));
    assert_eq!(&*next.id, "2026-11-25");
}

#[test]
fn a_day_has_23_or_25_hours_when_clocks_change() {
    assert_eq!(
        day("Europe/Berlin", "2026-03-29T12:00:00Z"),
        ("2026-03-29".into(), 23)
    );
    assert_eq!(
        day("Europe/Berlin", "2026-10-25T12:00:00Z"),
        ("2026-10-25".into(), 25)
    );
    assert_eq!(
        day("America/New_York", "2026-11-01T12:00:00Z"),
        ("2026-11-01".into(), 25)
    );
    assert_eq!(
        day("Europe/Berlin", "2026-11-24T12:00:00Z"),
        ("2026-11-24".into(), 24)
    );
}

#[test]
fn a_day_whose_midnight_is_skipped_begins_at_one() {
    for (zone, before, begins, id) in [
        (
            "America/Sao_Paulo",
            "2018-11-04T02:59:59.999Z",
            "2018-11-04T03:00:00Z",
            "2018-11-04",
        ),
        (
            "Africa/Cairo",
            "2026-04-23T21:59:59.999Z",
            "2026-04-23T22:00:00Z",
            "2026-04-24",
        ),
        (
            "Asia/Beirut",
            "2026-03-28T21:59:59.999Z",
            "2026-03-28T22:00:00Z",
            "2026-03-29",
        ),
    ] {
        let calendar = calendar(Span::Day, zone);
        let first = calendar.window_at(at(begins));
        assert_eq!(&*first.id, id, "{zone}");
        let last = calendar.window_at(at(before));
        assert_eq!(last.ends_at, Some(at(begins)), "{zone}");
        assert_eq!(day(zone, begins), (id.into(), 23), "{zone}");
    }
}

#[test]
fn a_midnight_that_clocks_are_set_back_from_is_not_passed_twice() {
    // Sao Paulo, 2018-02-18 00:00 became 2018-02-17 23:00.
    assert_eq!(
        day("America/Sao_Paulo", "2018-02-18T02:30:00Z"),
        ("2018-02-17".into(), 25)
    );
    // St. John's, 2006-10-29 00:01 became 2006-10-28 23:01: the date was in force twice.
    let calendar = calendar(Span::Day, "America/St_Johns");
    for now in [
        "2006-10-29T02:30:30Z",
        "2006-10-29T02:45:00Z",
        "2006-10-29T03:31:00Z",
    ] {
        assert_eq!(&*calendar.window_at(at(now)).id, "2006-10-29", "{now}");
    }
}

#[test]
fn a_day_that_a_country_left_out_has_no_window() {
    // Samoa crossed the date line: 2011-12-29 was followed by 2011-12-31.
    let apia = calendar(Span::Day, "Pacific/Apia");
    let last = apia.window_at(at("2011-12-30T09:59:59Z"));
    assert_eq!(&*last.id, "2011-12-29");
    assert_eq!(last.ends_at, Some(at("2011-12-30T10:00:00Z")));
    assert_eq!(
        &*apia.window_at(at("2011-12-30T10:00:00Z")).id,
        "2011-12-31"
    );
}

#[test]
fn leap_days_and_years_ends_are_days_like_others() {
    assert_eq!(
        day("UTC", "2028-02-29T23:59:59Z"),
        ("2028-02-29".into(), 24)
    );
    assert_eq!(
        window("UTC", Span::Month, "2028-02-29T23:59:59Z"),
        ("2028-02".into(), 29 * 24)
    );
    assert_eq!(
        day("UTC", "2026-12-31T23:59:59Z"),
        ("2026-12-31".into(), 24)
    );
    let utc = calendar(Span::Month, "UTC");
    let december = utc.window_at(at("2026-12-31T23:59:59.999Z"));
    assert_eq!(&*december.id, "2026-12");
    assert_eq!(december.ends_at, Some(at("2027-01-01T00:00:00Z")));
    // In Auckland the year is over earlier.
    assert_eq!(
        window("Pacific/Auckland", Span::Month, "2026-12-31T11:00:00Z").0,
        "2027-01"
    );
}

#[test]
fn a_month_with_a_clock_change_is_an_hour_off() {
    assert_eq!(
        window("Europe/Berlin", Span::Month, "2026-03-15T00:00:00Z"),
        ("2026-03".into(), 31 * 24 - 1)
    );
    assert_eq!(
        window("Europe/Berlin", Span::Month, "2026-10-15T00:00:00Z"),
        ("2026-10".into(), 31 * 24 + 1)
    );
}

#[test]
fn a_clock_that_steps_back_finds_the_old_window_again() {
    let utc = calendar(Span::Day, "UTC");
    let midnight = at("2026-11-25T00:00:00Z");
    assert_eq!(&*utc.window_at(midnight).id, "2026-11-25");
    assert_eq!(&*utc.window_at(midnight - 1).id, "2026-11-24");
    assert_eq!(&*utc.window_at(midnight).id, "2026-11-25");
}

#[test]
fn the_current_window_is_shared() {
    let utc = calendar(Span::Day, "UTC");
    let one = utc.window_at(at("2026-11-24T01:00:00Z"));
    let other = utc.window_at(at("2026-11-24T23:00:00Z"));
    assert!(Arc::ptr_eq(&one.id, &other.id));
}

#[test]
fn no_time_is_out_of_range() {
    for millis in [i64::MIN, -1, 0, i64::MAX] {
        for span in [Span::Day, Span::Month] {
            let window = calendar(span, "Pacific/Apia").window_at(Timestamp::from_millis(millis));
            assert!(window.ends_at.is_some());
        }
    }
}

proptest! {
    /// Every instant is in one window, and the next window begins where it ends.
    #[test]
    fn windows_tile_time(
        zone in prop::sample::select(chrono_tz::TZ_VARIANTS.as_slice()),
        span in prop::sample::select(vec![Span::Day, Span::Month]),
        // 1900 to 2100.
        millis in -2_208_988_800_000..4_102_444_800_000i64,
    ) {
        let now = Timestamp::from_millis(millis);
        let this = compute(span, zone, now);
        prop_assert!(this.begins_at <= now && now < this.ends_at);
        prop_assert_eq!(&compute(span, zone, this.begins_at).window, &this.window);
        prop_assert_eq!(&compute(span, zone, this.ends_at - 1).window, &this.window);
        let next = compute(span, zone, this.ends_at);
        prop_assert_eq!(next.begins_at, this.ends_at);
        prop_assert!(next.window.id > this.window.id);
        let before = compute(span, zone, this.begins_at - 1);
        prop_assert_eq!(before.ends_at, this.begins_at);
    }
}
