/// Replaces variables in words and takes their quotes away, as Dockerfiles have it.
///
/// `$NAME`, `${NAME}`, and with a word behind the name: `:-` `-` (instead, if there is none), `:+` `+` (if there is one),
/// `:?` `?` (fails if there is none), `#` `##` (without what matches at the beginning), `%` `%%` (at the end), `/` `//`
/// (with something else for what matches). With a colon, an empty variable is none.
///
/// Source: docs.docker.com/reference/dockerfile, "Environment replacement".
public struct Expansion {
    /// A word, and which variables it took.
    public struct Result: Sendable, Equatable {
        public var text: String
        /// `text` between the blanks that are not quoted.
        public var words: [String]
        /// Variables that have a value, and were asked for it.
        public var used: Set<String>
        /// Variables without a value, of which the word does not say what to do then.
        public var undefined: Set<String>
    }

    private let escape: Unicode.Scalar
    private let lookup: (String) -> String?

    /// - Parameters:
    ///   - escape: What takes the next character's meaning.
    ///   - lookup: The value of a variable.
    public init(escape: Character = "\\", lookup: @escaping (String) -> String?) {
        self.escape = escape.unicodeScalars.first ?? "\\"
        self.lookup = lookup
    }

    public init(escape: Character = "\\", _ variables: [String: String]) {
        self.init(escape: escape) { variables[$0] }
    }

    /// - Throws: For a quote or a brace that nothing closes, what is no substitution, `${NAME:?word}`, and for what
    ///   becomes longer than 1 MiB.
    public func expand(_ word: String) throws(SyntaxError) -> Result {
        try run(word, escape: escape, quotes: true, limit: 1 << 20)
    }

    /// Replaces the variables of a text in which quotes have no meaning: a heredoc's.
    ///
    /// - Throws: As `expand`, for more than 16 MiB.
    public func expandText(_ text: String) throws(SyntaxError) -> Result {
        try run(text, escape: "\\", quotes: false, limit: SourceText.sizeLimit)
    }

    private func run(
        _ text: String, escape: Unicode.Scalar, quotes: Bool, limit: Int
    ) throws(SyntaxError) -> Result {
        var run = ExpansionRun(text, escape: escape, quotes: quotes, limit: limit, lookup: lookup)
        let output = try run.expand(until: nil)
        return Result(text: output.text, words: output.finishedWords, used: run.used, undefined: run.undefined)
    }
}

/// What an expansion has made so far.
struct ExpansionOutput {
    private var scalars = String.UnicodeScalarView()
    private var words: [String] = []
    private var word = String.UnicodeScalarView()
    private(set) var count = 0

    var text: String { String(scalars) }

    var finishedWords: [String] { word.isEmpty ? words : words + [String(word)] }

    /// - Parameter isQuoted: Whether blanks in it do not end a word.
    mutating func append(_ scalar: Unicode.Scalar, isQuoted: Bool) {
        count += 1
        scalars.append(scalar)
        if isQuoted || !scalar.properties.isWhitespace {
            word.append(scalar)
        } else if !word.isEmpty {
            words.append(String(word))
            word = String.UnicodeScalarView()
        }
    }
}
