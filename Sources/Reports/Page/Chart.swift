/// Lines over time, as one SVG element that needs no script: what the pointer is on is shown by style alone.
struct Chart {
    /// One line.
    struct Line {
        /// For the legend and for what the pointer shows.
        let label: String
        /// One for each time; `nil` where it is not known.
        let values: [Double?]
    }

    /// A line across.
    struct Limit {
        let value: Double
        let label: String
    }

    let title: String
    /// What is worth knowing without a look at the lines.
    let note: String
    /// In nanoseconds since the command's begin, growing; at least two.
    let times: [Double]
    /// One or two.
    let lines: [Line]
    let limit: Limit?
    let steps: ChartScale.Steps
    /// A value for people.
    let text: (Double) -> String
    /// Whether what is below the lines is filled.
    var isFilled = false
    /// Tells the chart from others of the page.
    let id: String

    // The place of the plot in the picture.
    private static let (left, right, top, bottom) = (66.0, 590.0, 22.0, 204.0)
    /// How many places the pointer is told apart in.
    private static let bands = 96

    func svg() -> String {
        let highest = lines.flatMap(\.values).compactMap { $0 }.max() ?? 0
        let y = ChartScale(upTo: max(highest, shownLimit(above: highest)?.value ?? 0), steps, lines: 4)
        let x = ChartScale(upTo: times.last ?? 1, .time, lines: 7)
        return """
            <svg viewBox="0 0 600 232" role="img" aria-labelledby="\(id)-title \(id)-note">
            <title id="\(id)-title">\(HTMLText.escaped(title)) over time</title>
            <desc id="\(id)-note">\(HTMLText.escaped(note))</desc>
            \(grid(x, y))
            \(lines.indices.map { path($0, y) }.joined(separator: "\n"))
            \(limitLine(above: highest, y))
            \(hover(y))
            </svg>
            """
    }

    /// The limit, unless it is so far up that the lines would lie flat on the ground.
    private func shownLimit(above highest: Double) -> Limit? {
        limit.flatMap { $0.value <= highest * 3 ? $0 : nil }
    }

    // MARK: Places

    private var span: Double { max(1, times.last ?? 1) }

    private func place(x time: Double) -> Double { Self.left + (Self.right - Self.left) * min(1, time / span) }

    private func place(y value: Double, _ scale: ChartScale) -> Double {
        Self.bottom - (Self.bottom - Self.top) * min(1, value / scale.top)
    }

    private func number(_ value: Double) -> String { Readable.decimal(value, places: 1) }

    // MARK: What is drawn

    private func grid(_ x: ChartScale, _ y: ChartScale) -> String {
        var text = #"<g class="grid">"#
        for value in y.lines {
            let place = number(place(y: value, y))
            text += #"<path d="M\#(number(Self.left)) \#(place)H\#(number(Self.right))"/>"#
            let label = value == 0 ? "0" : self.text(value)
            text += #"<text x="\#(number(Self.left - 8))" y="\#(place)" dy="0.35em" text-anchor="end">"#
            text += HTMLText.escaped(label) + "</text>"
        }
        for time in x.lines where time <= span {
            let place = place(x: time)
            text += #"<path d="M\#(number(place)) \#(number(Self.bottom))v5"/>"#
            let anchor = place > Self.right - 14 ? "end" : "middle"
            text += #"<text x="\#(number(place))" y="\#(number(Self.bottom + 19))" text-anchor="\#(anchor)">"#
            text += x.time(time) + "</text>"
        }
        return text + "</g>"
    }

    private func path(_ index: Int, _ scale: ChartScale) -> String {
        var line = ""
        var area = ""
        var begin: Double?
        var end = 0.0
        for (time, value) in zip(times, lines[index].values) {
            guard let value else {
                if let begin { area += Self.closing(begin, end) }
                begin = nil
                continue
            }
            end = place(x: time)
            let point = "\(number(end)) \(number(place(y: value, scale)))"
            line += (begin == nil ? "M" : "L") + point
            area += (begin == nil ? "M" : "L") + point
            if begin == nil { begin = end }
        }
        if let begin { area += Self.closing(begin, end) }
        let filled = isFilled ? #"<path class="area line\#(index + 1)" d="\#(area)"/>"# : ""
        return filled + #"<path class="line line\#(index + 1)" d="\#(line)"/>"#
    }

    /// From the last point down and back to below the first.
    private static func closing(_ begin: Double, _ end: Double) -> String {
        let ground = Readable.decimal(bottom, places: 1)
        return "L\(Readable.decimal(end, places: 1)) \(ground)L\(Readable.decimal(begin, places: 1)) \(ground)Z"
    }

    private func limitLine(above highest: Double, _ scale: ChartScale) -> String {
        guard let limit = shownLimit(above: highest) else { return "" }
        let place = place(y: limit.value, scale)
        return """
            <g class="limit"><path d="M\(number(Self.left)) \(number(place))H\(number(Self.right))"/>
            <text x="\(number(Self.right))" y="\(number(place - 6))" text-anchor="end">\(HTMLText.escaped(limit.label))</text></g>
            """
    }

    /// Bands next to each other; the one that the pointer is on shows the values there.
    private func hover(_ scale: ChartScale) -> String {
        let stride = max(1, (times.count + Self.bands - 1) / Self.bands)
        let shown = Swift.stride(from: 0, to: times.count, by: stride).map { $0 }
        let places = shown.map { place(x: times[$0]) }
        var text = #"<g class="hover">"#
        for (position, index) in shown.enumerated() {
            let from = position == 0 ? Self.left : (places[position - 1] + places[position]) / 2
            let to = position == shown.count - 1 ? Self.right : (places[position] + places[position + 1]) / 2
            text += band(index, at: places[position], from: from, to: to, scale)
        }
        return text + "</g>"
    }

    private func band(_ index: Int, at place: Double, from: Double, to: Double, _ scale: ChartScale) -> String {
        let values = lines.enumerated().compactMap { position, line -> (text: String, dot: String)? in
            guard let value = line.values[index] else { return nil }
            let label = lines.count > 1 ? "\(line.label) " : ""
            let y = number(self.place(y: value, scale))
            return (
                label + self.text(value),
                #"<circle class="line\#(position + 1)" cx="\#(number(place))" cy="\#(y)" r="3.5"/>"#
            )
        }
        let isLeft = place < (Self.left + Self.right) / 2
        let label = ([Readable.duration(Readable.whole(times[index]))] + values.map(\.text)).joined(separator: " · ")
        let height = number(Self.bottom - Self.top)
        return """
            <g><rect x="\(number(from))" y="\(number(Self.top))" width="\(number(max(0, to - from)))" height="\(height)"/>\
            <path d="M\(number(place)) \(number(Self.top))v\(height)"/>\(values.map(\.dot).joined())\
            <text x="\(number(isLeft ? place + 7 : place - 7))" y="\(number(Self.bottom - 8))" \
            text-anchor="\(isLeft ? "start" : "end")">\(HTMLText.escaped(label))</text></g>

            """
    }
}
