//! The plot of two years: principal outstanding and points outstanding, as SVG.

use std::fmt::Write;
use tenor_abi::date::Date;

const WIDTH: i128 = 860;
const HEIGHT: i128 = 360;
const LEFT: i128 = 90;
const RIGHT: i128 = 90;
const TOP: i128 = 40;
const BOTTOM: i128 = 40;

/// The picture of a curve of (day, principal in cents, points).
pub fn svg(curve: &[(Date, i128, i128)]) -> String {
    let days = |day: &Date| i128::from(day.days());
    let (first, last) = (curve.first().map_or(0, |p| days(&p.0)), curve.last().map_or(1, |p| days(&p.0)));
    let span = (last - first).max(1);
    let across = |day: &Date| LEFT + (days(day) - first) * (WIDTH - LEFT - RIGHT) / span;
    let most = |pick: fn(&(Date, i128, i128)) -> i128| curve.iter().map(pick).max().unwrap_or(1).max(1);
    let (top_principal, top_points) = (most(|p| p.1), most(|p| p.2));
    let up = |value: i128, top: i128| HEIGHT - BOTTOM - value * (HEIGHT - TOP - BOTTOM) / top;
    let line = |pick: fn(&(Date, i128, i128)) -> i128, top| {
        curve.iter().map(|p| format!("{},{}", across(&p.0), up(pick(p), top))).collect::<Vec<_>>().join(" ")
    };
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for quarter in 0..=4 {
        let y = HEIGHT - BOTTOM - quarter * (HEIGHT - TOP - BOTTOM) / 4;
        let (right, value, points) = (WIDTH - RIGHT, top_principal * quarter / 400, top_points * quarter / 4);
        let _ = writeln!(out, "<line x1=\"{LEFT}\" y1=\"{y}\" x2=\"{right}\" y2=\"{y}\" stroke=\"#ddd\"/>");
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#1f4e9c\">{value}</text>",
            LEFT - 6,
            y + 4
        );
        let _ = writeln!(out, "<text x=\"{}\" y=\"{}\" fill=\"#b3541e\">{points}</text>", right + 6, y + 4);
    }
    for point in curve.iter().filter(|p| p.0.day() == 1 && p.0.month() % 6 == 1) {
        let x = across(&point.0);
        let _ =
            writeln!(out, "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{}</text>", HEIGHT - 16, point.0);
    }
    for (points, colour) in
        [(line(|p| p.1, top_principal), "#1f4e9c"), (line(|p| p.2, top_points), "#b3541e")]
    {
        let _ = writeln!(
            out,
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{LEFT}\" y=\"24\" fill=\"#1f4e9c\">principal outstanding, EUR (left)</text>"
    );
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"24\" text-anchor=\"end\" fill=\"#b3541e\">points outstanding (right)</text>",
        WIDTH - RIGHT
    );
    out.push_str("</svg>\n");
    out
}
