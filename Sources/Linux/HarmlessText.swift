extension String {
    /// This text on one line that a terminal only shows: control characters, which could move its cursor or forge a second
    /// line, become `?`, and so do those that turn the direction of writing and could show one name for another.
    public var harmless: String {
        guard unicodeScalars.contains(where: Self.isHarmful) else { return self }
        return String(UnicodeScalarView(unicodeScalars.map { Self.isHarmful($0) ? "?" : $0 }))
    }

    private static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case ..<0x20, 0x7f...0x9f, 0x202a...0x202e, 0x2066...0x2069: true
        default: false
        }
    }
}
