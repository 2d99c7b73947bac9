import Linux
public import Reports

/// What a command line asks to be told of what a command used.
public struct ReportRequest: Sendable, Equatable {
    /// Whose names end in `.json` or `.html`.
    public var files: [String] = []
    /// Whether it is told as a table, too.
    public var summary = false
    /// By how much more memory than before fails; with `baseline`.
    public var allowedGrowth: Percentage?
    /// A report of before.
    public var baseline: String?

    public init() {}

    public var isEmpty: Bool { self == ReportRequest() }
}
