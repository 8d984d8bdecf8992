//! Parts of a moment, in UTC.
//!
//! Days become dates by Howard Hinnant's `civil_from_days`: years are taken to begin in March, so that the leap day is
//! their last.

use crate::plan::function::DateFunction;

const DAY_SECONDS: i64 = 86_400;
/// Beyond this many seconds (some 285 million years) a number is no moment any more.
const MOMENT_SECONDS_MAX: f64 = 9_007_199_254_740_992.0;

/// A date, as people write it.
struct Date {
    year: i64,
    /// From 1.
    month: i64,
    /// From 1.
    day: i64,
}

/// A part of the moment that lies so many seconds after 1970; NaN of what is no moment.
pub(in crate::eval) fn of(function: DateFunction, seconds: f64) -> f64 {
    if seconds.is_nan() || seconds.abs() > MOMENT_SECONDS_MAX {
        return f64::NAN;
    }
    // Within the bound, the fraction is all that the cast takes away.
    let seconds = seconds as i64;
    let (days, second) = (seconds.div_euclid(DAY_SECONDS), seconds.rem_euclid(DAY_SECONDS));
    let date = date(days);
    let part = match function {
        DateFunction::Minute => second / 60 % 60,
        DateFunction::Hour => second / 3600,
        // The first of January 1970 was a Thursday.
        DateFunction::DayOfWeek => (days + 4).rem_euclid(7),
        DateFunction::DayOfMonth => date.day,
        DateFunction::DayOfYear => days - days_before(date.year, 1) + 1,
        DateFunction::DaysInMonth => {
            let (year, month) =
                if date.month == 12 { (date.year + 1, 1) } else { (date.year, date.month + 1) };
            days_before(year, month) - days_before(date.year, date.month)
        }
        DateFunction::Month => date.month,
        DateFunction::Year => date.year,
    };
    part as f64
}

fn date(days: i64) -> Date {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    Date {
        year: year_of_era + era * 400 + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * shifted + 2) / 5 + 1,
    }
}

/// Days from 1970 to the first of a month.
fn days_before(year: i64, month: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * shifted + 2) / 5;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(seconds: f64) -> [f64; 8] {
        [
            DateFunction::Year,
            DateFunction::Month,
            DateFunction::DayOfMonth,
            DateFunction::DayOfYear,
            DateFunction::DayOfWeek,
            DateFunction::DaysInMonth,
            DateFunction::Hour,
            DateFunction::Minute,
        ]
        .map(|function| of(function, seconds))
    }

    #[test]
    fn moments_have_their_parts() {
        assert_eq!(parts(0.0), [1970.0, 1.0, 1.0, 1.0, 4.0, 31.0, 0.0, 0.0]);
        // 2024-02-29 23:59:59, a Thursday.
        assert_eq!(parts(1_709_251_199.9), [2024.0, 2.0, 29.0, 60.0, 4.0, 29.0, 23.0, 59.0]);
        // 2026-12-31 12:34:56, a Thursday.
        assert_eq!(parts(1_798_720_496.0), [2026.0, 12.0, 31.0, 365.0, 4.0, 31.0, 12.0, 34.0]);
        // 1969-12-31 23:59:59, a Wednesday.
        assert_eq!(parts(-1.0), [1969.0, 12.0, 31.0, 365.0, 3.0, 31.0, 23.0, 59.0]);
        // 1900-02-28, a Wednesday of a year that was no leap year.
        assert_eq!(parts(-2_203_977_600.0)[..6], [1900.0, 2.0, 28.0, 59.0, 3.0, 28.0]);
    }

    #[test]
    fn what_is_no_moment_has_none() {
        assert!(parts(f64::NAN).iter().chain(&parts(f64::INFINITY)).all(|part| part.is_nan()));
        assert!(parts(-1e300).iter().all(|part| part.is_nan()));
    }
}
