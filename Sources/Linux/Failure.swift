/// What a user reads when something fails: `step: subject: reason; remedy`, on one line.
public struct Failure: Error, Sendable, CustomStringConvertible, Equatable {
    /// What failed, in lower case: `mount`, `limit memory`, `start container`.
    public var step: String
    /// Which one: a path, a name or a value as the user gave it.
    public var subject: String
    /// Why, in lower case and without a full stop.
    public var reason: String
    /// What to do about it, where there is something.
    public var remedy: String?
    /// The exit status that this failure gives `apus`: 125, or 126 and 127 where Docker has them.
    public var exitCode: Int32

    public init(_ step: String, _ subject: String, _ reason: String, remedy: String? = nil, exitCode: Int32 = 125) {
        self.step = step
        self.subject = subject
        self.reason = reason
        self.remedy = remedy
        self.exitCode = exitCode
    }

    /// A failed system call as a step that the user knows.
    public init(_ step: String, _ subject: String, _ error: SystemCallError, remedy: String? = nil) {
        self.init(step, subject, "\(error.call): \(error.errno.reason)", remedy: remedy)
    }

    /// This failure with the flag that it is about, unless it names a step already.
    public func naming(_ flag: String) -> Failure {
        var named = self
        if named.step.isEmpty { named.step = flag }
        return named
    }

    public var description: String {
        let line = [step, subject, reason].filter { !$0.isEmpty }.joined(separator: ": ")
        // Names come from containers and images, too.
        return (remedy.map { "\(line); \($0)" } ?? line).harmless
    }
}
