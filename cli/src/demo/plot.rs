//! The plot of two years: principal and points outstanding, one above the other over the same days, as SVG.

use std::fmt::Write;
use tenor_abi::date::Date;

const WIDTH: i128 = 860;
const LEFT: i128 = 90;
const RIGHT: i128 = 30;
const TOP: i128 = 60;
/// Height of a panel's plane, and what lies between two.
const PANEL: i128 = 170;
const GAP: i128 = 70;
/// Most steps of a vertical axis.
const TICKS_MAX: i128 = 5;

/// What the chain held at the end of a day.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// The day.
    pub day: Date,
    /// Principal that borrowers owe, minor units with two decimals.
    pub principal: i128,
    /// Points that members hold.
    pub points: i128,
}

/// One curve with its axis.
struct Panel<'c> {
    title: &'c str,
    colour: &'c str,
    /// Units of the value that one unit of the axis is.
    unit: i128,
    values: Vec<(Date, i128)>,
}

/// The picture.
pub fn svg(curve: &[Point]) -> String {
    let (Some(first), Some(last)) = (curve.first(), curve.last()) else { return String::new() };
    let panels = [
        Panel {
            title: "Principal outstanding on all loans, EUR",
            colour: "#1f4e9c",
            unit: 100,
            values: curve.iter().map(|point| (point.day, point.principal)).collect(),
        },
        Panel {
            title: "Points outstanding in the programme, points (each is worth 0.01 EUR)",
            colour: "#b3541e",
            unit: 1,
            values: curve.iter().map(|point| (point.day, point.points)).collect(),
        },
    ];
    let height = TOP + panels.len() as i128 * (PANEL + GAP);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let _ = writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"26\" font-size=\"16\">A small bank, at the end of each day from {} to {}</text>",
        first.day, last.day
    );
    for (place, panel) in panels.iter().enumerate() {
        let top = TOP + place as i128 * (PANEL + GAP);
        panel.draw(&mut out, top, Span { first: first.day, last: last.day });
    }
    out.push_str("</svg>\n");
    out
}

/// The days of the horizontal axis.
#[derive(Clone, Copy)]
struct Span {
    first: Date,
    last: Date,
}

impl Span {
    fn across(self, day: Date) -> i128 {
        let days = |day: Date| i128::from(day.days());
        let length = (days(self.last) - days(self.first)).max(1);
        LEFT + (days(day) - days(self.first)) * (WIDTH - LEFT - RIGHT) / length
    }

    /// The first days of quarters.
    fn quarters(self) -> impl Iterator<Item = Date> {
        let from = Date::of(self.first.year(), 1, 1);
        (0..)
            .map(move |quarter| from.add_months(3 * quarter))
            .take_while(move |day| *day <= self.last)
            .filter(move |day| *day >= self.first)
    }
}

impl Panel<'_> {
    fn draw(&self, out: &mut String, top: i128, span: Span) {
        let (bottom, right) = (top + PANEL, WIDTH - RIGHT);
        let most = self.values.iter().map(|(_, value)| *value).max().unwrap_or(0).max(1);
        let step = round_step(most, self.unit);
        let ticks = (most + step - 1) / step;
        let up = |value: i128| bottom - value * PANEL / (ticks * step);
        let _ = writeln!(
            out,
            "<text x=\"{LEFT}\" y=\"{}\" fill=\"{}\">{}</text>",
            top - 10,
            self.colour,
            self.title
        );
        for tick in 0..=ticks {
            let y = up(tick * step);
            let _ =
                writeln!(out, "<line x1=\"{LEFT}\" y1=\"{y}\" x2=\"{right}\" y2=\"{y}\" stroke=\"#ddd\"/>");
            let _ = writeln!(
                out,
                "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                LEFT - 8,
                y + 4,
                grouped(tick * step / self.unit)
            );
        }
        for day in span.quarters() {
            let x = span.across(day);
            let _ = writeln!(
                out,
                "<line x1=\"{x}\" y1=\"{bottom}\" x2=\"{x}\" y2=\"{}\" stroke=\"#888\"/>",
                bottom + 5
            );
            let _ = writeln!(
                out,
                "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{:04}-{:02}</text>",
                bottom + 20,
                day.year(),
                day.month()
            );
        }
        // A balance stays until it changes: the curve goes in steps.
        let mut path = String::new();
        for (place, (day, value)) in self.values.iter().enumerate() {
            let (x, y) = (span.across(*day), up(*value));
            let _ = if place == 0 { write!(path, "M{x} {y}") } else { write!(path, "H{x}V{y}") };
        }
        let _ =
            writeln!(out, "<path d=\"{path}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>", self.colour);
    }
}

/// The smallest of 1, 2 or 5 times a power of ten of units that reaches the most in few steps.
fn round_step(most: i128, unit: i128) -> i128 {
    let sizes = (0..30).flat_map(|power| [1, 2, 5].map(|digit| digit * 10i128.pow(power)));
    sizes.map(|size| size * unit).find(|step| most <= step * TICKS_MAX).unwrap_or(most)
}

/// Digits in groups of three.
fn grouped(number: i128) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
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
    fn axes_are_round_and_reach_the_most() {
        for (most, unit, step) in
            [(1, 1, 1), (6, 1, 2), (100, 1, 20), (12_345_678, 100, 5_000_000), (26, 1, 10)]
        {
            assert_eq!(round_step(most, unit), step, "{most}");
        }
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1 000", "1 234 567"]);
    }

    #[test]
    fn a_curve_goes_in_steps() {
        let point = |day: u8, principal, points| Point { day: Date::of(2026, 1, day), principal, points };
        let picture = svg(&[point(1, 0, 50), point(2, 10_000, 50), point(31, 5_000, 0)]);
        assert!(
            picture.contains("<path d=\"M90 230H114V60H830V145\"") && picture.contains("V470\""),
            "{picture}"
        );
        assert_eq!(picture.matches("2026-01<").count(), 2);
    }
}
