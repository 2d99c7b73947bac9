import Glibc
public import Images
import Linux
import Synchronization
public import SystemPackage

/// For a terminal: a bar for each layer, drawn anew in its place.
public final class BarProgress: TransferProgress {
    private struct Screen {
        var order: [Digest] = []
        var states: [Digest: LayerState] = [:]
        /// How many lines the cursor stands below the first bar.
        var drawn = 0
        var lastDraw: ContinuousClock.Instant?
    }

    private let output: FileDescriptor
    private let screen = Mutex(Screen())

    /// - Parameter output: A terminal.
    public init(to output: FileDescriptor) { self.output = output }

    public func say(_ line: String) {
        screen.withLock { screen in
            draw(&screen)
            write("\(line)\n")
            // What comes next belongs to something else.
            screen = Screen()
        }
    }

    public func update(_ layer: Digest, _ state: LayerState) {
        screen.withLock { screen in
            let before = screen.states.updateValue(state, forKey: layer)
            if before == nil { screen.order.append(layer) }
            let now = ContinuousClock.now
            let isStep = before?.wording != state.wording
            if !isStep, let last = screen.lastDraw, now - last < .milliseconds(100) { return }
            screen.lastDraw = now
            draw(&screen)
        }
    }

    private func draw(_ screen: inout Screen) {
        guard !screen.order.isEmpty else { return }
        let size = output.windowSizeIfTerminal()
        let width = size.map { Int($0.columns) }.flatMap { $0 > 0 ? $0 : nil } ?? 80
        let height = max(size.map { Int($0.rows) }.flatMap { $0 > 0 ? $0 : nil } ?? 24, 2)
        var text = screen.drawn > 0 ? "\u{1B}[\(screen.drawn)A" : ""
        // What has scrolled off cannot be drawn anew.
        let shown = screen.order.suffix(height - 1)
        for layer in shown {
            guard let state = screen.states[layer] else { continue }
            text += "\r" + Self.line(layer, state, width: width) + "\u{1B}[K\n"
        }
        screen.drawn = shown.count
        write(text)
    }

    /// `3f4a1c2b9d0e: Downloading [=====>     ]  12.3MB/45.6MB`
    static func line(_ layer: Digest, _ state: LayerState, width: Int) -> String {
        var line = "\(layer.short): \(state.wording)"
        if let (done, total) = state.amount, total > 0 {
            let figures = "\(bytes(done))/\(bytes(total))"
            let room = min(width - line.utf8.count - figures.utf8.count - 5, 50)
            if room >= 10 {
                let filled = min(Int(Int64(room) * min(done, total) / total), room - 1)
                let bar = String(repeating: "=", count: filled) + ">" + String(repeating: " ", count: room - filled - 1)
                line += " [\(bar)]"
            }
            line += "  \(figures)"
        }
        return String(line.prefix(max(width - 1, 1)))
    }

    /// As Docker writes sizes: `12.3MB`.
    static func bytes(_ count: Int64) -> String {
        var value = count * 10
        for unit in ["B", "kB", "MB", "GB"] {
            if value < 10_000 || unit == "GB" {
                let tenth = value % 10
                return "\(value / 10)" + (unit == "B" || tenth == 0 ? "" : ".\(tenth)") + unit
            }
            value /= 1000
        }
        return "\(count)B"
    }

    private func write(_ text: String) {
        // `try?`: nobody watching is no reason not to pull.
        try? output.writeFully(Array(text.utf8))
    }
}
