/// What is wrong with a `config.json`.
public struct SpecError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The place, as `linux.resources.memory.limit` or `mounts[2].destination`; empty for the whole.
    public let path: String
    /// Why, in lower case and without a full stop.
    public let reason: String

    public init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }

    public var description: String { path.isEmpty ? reason : "\(path): \(reason)" }
}
