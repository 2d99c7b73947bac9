/// What an instruction begins with.
enum Keyword: String, CaseIterable {
    case add = "ADD"
    case arg = "ARG"
    case cmd = "CMD"
    case copy = "COPY"
    case entrypoint = "ENTRYPOINT"
    case env = "ENV"
    case expose = "EXPOSE"
    case from = "FROM"
    case healthcheck = "HEALTHCHECK"
    case label = "LABEL"
    case maintainer = "MAINTAINER"
    case onbuild = "ONBUILD"
    case run = "RUN"
    case shell = "SHELL"
    case stopsignal = "STOPSIGNAL"
    case user = "USER"
    case volume = "VOLUME"
    case workdir = "WORKDIR"

    /// - Throws: For what is none, with the nearest that is one.
    init(_ fragment: Fragment) throws(SyntaxError) {
        let word = fragment.text.uppercased()
        guard let keyword = Keyword(rawValue: word) else {
            throw SyntaxError(
                "unknown instruction '\(fragment.text)'",
                remedy: didYouMean(word, among: Self.allCases.map(\.rawValue)), at: fragment.offset)
        }
        self = keyword
    }

    /// Whether `<<NAME` in it begins a heredoc.
    var takesHeredocs: Bool { self == .add || self == .copy || self == .run }
}
