//! Pictures of figures: bars with their quartiles, and curves.

use std::path::Path;

use plotters::prelude::*;

use crate::Failure;
use crate::figure::Figure;

const SIZE: (u32, u32) = (840, 420);

/// A picture, and the name of its file.
pub(crate) enum Plot {
    /// One bar a label.
    Bars { file: &'static str, title: String, unit: &'static str, bars: Vec<(String, Figure)> },
    /// A curve a name. The horizontal axis may be logarithmic.
    Curves { file: &'static str, title: String, x: &'static str, y: &'static str, log: bool, curves: Vec<Curve> },
}

/// A name and its points.
pub(crate) type Curve = (String, Vec<(f64, f64)>);

impl Plot {
    /// Draws it as an SVG into `folder`.
    pub(crate) fn draw(&self, folder: &Path) -> Result<(), Failure> {
        match self {
            Self::Bars { file, title, unit, bars } => draw_bars(&folder.join(file), title, unit, bars),
            Self::Curves { file, title, x, y, log, curves } => {
                draw_curves(&folder.join(file), title, (x, y), *log, curves)
            }
        }
    }
}

fn draw_bars(path: &Path, title: &str, unit: &str, bars: &[(String, Figure)]) -> Result<(), Failure> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let highest = bars.iter().map(|(_, figure)| figure.upper_quartile).fold(0.0, f64::max);
    let last = i32::try_from(bars.len())?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(34)
        .y_label_area_size(74)
        .build_cartesian_2d((0..last - 1).into_segmented(), 0.0..highest.max(1e-9) * 1.1)?;
    let name = |place: &SegmentValue<i32>| match place {
        SegmentValue::CenterOf(bar) => {
            usize::try_from(*bar).ok().and_then(|bar| bars.get(bar)).map_or_else(String::new, |(name, _)| name.clone())
        }
        _ => String::new(),
    };
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(WHITE)
        .x_labels(bars.len())
        .x_label_formatter(&name)
        .y_desc(unit)
        .draw()?;
    for (place, (_, figure)) in (0..).zip(bars) {
        let (from, to) = (SegmentValue::Exact(place), SegmentValue::Exact(place + 1));
        let mut bar = Rectangle::new([(from, 0.0), (to, figure.median)], BLUE.mix(0.55).filled());
        bar.set_margin(0, 0, 12, 12);
        let middle = SegmentValue::CenterOf(place);
        let spread = [(middle.clone(), figure.lower_quartile), (middle, figure.upper_quartile)];
        chart.draw_series([bar])?;
        chart.draw_series([PathElement::new(spread, BLACK.stroke_width(2))])?;
    }
    root.present()?;
    Ok(())
}

fn draw_curves(path: &Path, title: &str, axes: (&str, &str), log: bool, curves: &[Curve]) -> Result<(), Failure> {
    let root = SVGBackend::new(path, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let points = || curves.iter().flat_map(|(_, points)| points);
    let place = |x: f64| if log { x.max(1e-9).log10() } else { x };
    let lowest = points().map(|point| place(point.0)).fold(f64::INFINITY, f64::min);
    let rightmost = points().map(|point| place(point.0)).fold(lowest + 1e-9, f64::max);
    let highest = points().map(|point| point.1).fold(1e-9, f64::max);
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .margin_right(40)
        .x_label_area_size(40)
        .y_label_area_size(74)
        .build_cartesian_2d(lowest..rightmost, 0.0..highest * 1.05)?;
    let number = |x: f64| {
        let value = if log { 10_f64.powf(x) } else { x };
        if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.2}") }
    };
    chart.configure_mesh().x_label_formatter(&|x| number(*x)).x_desc(axes.0).y_desc(axes.1).draw()?;
    for (index, (name, points)) in curves.iter().enumerate() {
        let color = Palette99::pick(index).mix(0.9);
        let line = points.iter().map(|(x, y)| (place(*x), *y));
        chart
            .draw_series(LineSeries::new(line, color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.85))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    root.present()?;
    Ok(())
}

/// The share of the samples that each value is not exceeded by, as a curve of at most 200 points.
pub(crate) fn distribution(name: impl Into<String>, sorted: &[f64]) -> Curve {
    let points = (0..=200).map(|step| {
        let share = f64::from(step) / 200.0;
        (crate::figure::quantile(sorted, share), share)
    });
    (name.into(), points.collect())
}
