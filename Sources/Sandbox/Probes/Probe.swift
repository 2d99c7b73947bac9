public import Linux

/// One thing that a container's start does, done in a process of its own to find out whether this machine lets it.
public struct Probe: Sendable {
    /// What the machine can or cannot do, in a word or two: `user namespaces`.
    public let capability: String
    /// What is good to know when it works.
    public let meaning: String
    /// What to do when it does not, unless the failure itself says it.
    let remedy: @Sendable (Failure) -> String?
    private let attempt: @Sendable () throws(Failure) -> Void

    init(
        _ capability: String, _ meaning: String, remedy: @escaping @Sendable (Failure) -> String? = { $0.remedy },
        attempt: @escaping @Sendable () throws(Failure) -> Void
    ) {
        self.capability = capability
        self.meaning = meaning
        self.remedy = remedy
        self.attempt = attempt
    }

    /// Tries it.
    ///
    /// - Returns: What went wrong, with its remedy; `nil` when it works.
    public func run() -> Failure? {
        do throws(Failure) {
            try attempt()
            return nil
        } catch {
            var failure = error
            failure.remedy = remedy(error) ?? error.remedy
            return failure
        }
    }

    /// Runs `body` in a child process in new namespaces, and waits for its end.
    ///
    /// With `.user` among them the child is root there, with the caller's own two IDs mapped.
    ///
    /// - Throws: What `body` throws, and what kept the child from starting.
    static func inChild(
        _ namespaces: Namespaces = [], _ body: () throws(Failure) -> Void
    ) throws(Failure) {
        try Errand.start(in: namespaces, body).finish()
    }
}
