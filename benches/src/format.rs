//! Numbers as a person reads them.

use crate::row::Unit;

/// A value with its unit, to three digits or so.
pub(crate) fn value(value: f64, unit: Unit) -> String {
    format!("{} {}", number(value), unit.name())
}

/// A value without its unit.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 10_000.0 => grouped(value),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A ratio.
pub(crate) fn ratio(ratio: f64) -> String {
    match ratio.abs() {
        size if size >= 100.0 => format!("{ratio:.0}"),
        size if size >= 10.0 => format!("{ratio:.1}"),
        size if size >= 0.095 => format!("{ratio:.2}"),
        _ => format!("{ratio:.3}"),
    }
}

/// A target, and whether what was found meets it; nothing where there is none.
pub(crate) fn target(unit: Unit, found: f64, target: Option<f64>, show: impl Fn(f64) -> String) -> String {
    target.map_or(String::new(), |target| {
        let met = if unit.meets(found, target) { "met" } else { "MISSED" };
        format!("{} {} {met}", unit.bound(), show(target))
    })
}

/// A whole number, with a space before each three digits.
pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let (sign, digits) = digits.strip_prefix('-').map_or(("", digits.as_str()), |digits| ("-", digits));
    let mut text = String::from(sign);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, expected) in [
            (1_234_567.0, "1 234 567 1/s"),
            (150_000.0, "150 000 1/s"),
            (9999.4, "9999 1/s"),
            (99.94, "99.9 1/s"),
            (1.234, "1.23 1/s"),
        ] {
            assert_eq!(value(number, Unit::PerSecond), expected);
        }
        assert_eq!(grouped(-12_345.0), "-12 345");
    }

    #[test]
    fn a_target_says_whether_it_is_met() {
        assert_eq!(target(Unit::PerSecond, 0.7, Some(0.65), ratio), "≥ 0.65 met");
        assert_eq!(target(Unit::Microseconds, 1.2, Some(1.15), ratio), "≤ 1.15 MISSED");
        assert_eq!(target(Unit::PerSecond, 0.7, None, ratio), "");
    }

    #[test]
    fn ratios_keep_what_tells_them_apart() {
        for (number, expected) in [(0.0123, "0.012"), (0.946, "0.95"), (12.34, "12.3"), (412.0, "412")] {
            assert_eq!(ratio(number), expected);
        }
    }
}
