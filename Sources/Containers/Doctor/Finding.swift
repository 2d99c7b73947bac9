public import Linux

/// One line of `apus doctor`: what this machine can or cannot do.
public struct Finding: Sendable, Equatable {
    /// What was tried, as its line begins.
    public let capability: String
    /// Whether it can be done here.
    public let works: Bool
    /// How it works, or why it does not.
    public let detail: String
    /// What to do about it, where it does not work and something can be done.
    public let remedy: String?

    public init(_ capability: String, works: Bool, _ detail: String, remedy: String? = nil) {
        self.capability = capability
        self.works = works
        self.detail = detail
        self.remedy = remedy
    }

    /// What could not be done, and why.
    public init(_ capability: String, _ failure: Failure) {
        var bare = failure
        bare.remedy = nil
        self.init(capability, works: false, bare.description, remedy: failure.remedy)
    }

    /// `ok` or `no`, the capability, the detail and the remedy in one line.
    public var line: String {
        let padding = String(repeating: " ", count: max(0, 20 - capability.count))
        let text = "\(works ? "ok" : "no")  \(capability)\(padding)  \(detail)"
        return remedy.map { "\(text); \($0)" } ?? text
    }
}
