/// A pattern of paths, as `COPY` and `.dockerignore` have it: `*` and `?` stand for anything within a name, `[a-z]` and
/// `[^a-z]` for one character, `**` for any number of directories, and a backslash takes the next character's meaning.
///
/// Time grows by the product of both lengths at most, whatever the pattern.
///
/// Source: Go's path/filepath, `Match`; docs.docker.com/build/concepts/context, ".dockerignore files".
public struct PathPattern: Sendable, Equatable {
    /// The most characters that a pattern may have.
    static let lengthLimit = 4096

    private enum Token: Sendable, Equatable {
        case literal(UInt32)
        /// One character that is no `/`.
        case any
        /// Any number of them.
        case star
        /// Any characters, `/` too.
        case all
        /// Nothing, or else the next one: `directories, insideDirectories` together are any number of them.
        case directories
        /// Any characters up to a `/`, and that.
        case insideDirectories
        case set([ClosedRange<UInt32>], isNegated: Bool)
    }

    /// As it is given.
    public let text: String
    private let tokens: [Token]

    /// Whether it stands for one path alone.
    public var isLiteral: Bool { literal != nil }
    /// That path, without escapes.
    private let literal: [UInt32]?

    /// - Throws: For a `[` that nothing closes, a range without an end, and more than 4096 characters.
    public init(_ text: String) throws(SyntaxError) {
        self.text = text
        let scalars = text.unicodeScalars.map(\.value)
        guard scalars.count <= Self.lengthLimit else {
            throw SyntaxError("a pattern of more than \(Self.lengthLimit) characters")
        }
        var parser = PatternParser(scalars)
        var tokens: [Token] = []
        while let next = try parser.next() {
            switch next {
            case .literal(let scalar): tokens.append(.literal(scalar))
            case .any: tokens.append(.any)
            case .set(let ranges, let isNegated): tokens.append(.set(ranges, isNegated: isNegated))
            // Several in a row are one.
            case .star: if tokens.last != .star && tokens.last != .all { tokens.append(.star) }
            case .doubleStar(let isLast):
                if isLast {
                    if tokens.last != .all { tokens.append(.all) }
                } else if tokens.last != .insideDirectories {
                    tokens += [.directories, .insideDirectories]
                }
            }
        }
        self.tokens = tokens
        let literals = tokens.compactMap { if case .literal(let scalar) = $0 { scalar } else { nil } }
        literal = literals.count == tokens.count ? literals : nil
    }

    /// Whether it stands for `path`.
    public func matches(_ path: String) -> Bool { match(Self.characters(path.utf8), withParents: false) }

    /// Whether it stands for `path` or a directory above it.
    public func matchesPathOrParent(_ path: String) -> Bool { match(Self.characters(path.utf8), withParents: true) }

    /// Whether it may stand for something below `directory`.
    public func mayMatch(below directory: String) -> Bool { mayMatch(below: Self.characters(directory.utf8)) }

    // MARK: Matching

    /// The characters of a path; bytes that are no UTF-8 are characters of their own.
    static func characters(_ path: some Sequence<UInt8>) -> [UInt32] {
        let path = Array(path)
        if path.allSatisfy({ $0 < 0x80 }) { return path.map(UInt32.init) }
        var characters: [UInt32] = []
        var parser = Unicode.UTF8.ForwardParser()
        var bytes = path.makeIterator()
        while true {
            switch parser.parseScalar(from: &bytes) {
            case .valid(let character): characters.append(Unicode.UTF8.decode(character).value)
            case .error(let length): characters += [UInt32](repeating: 0x11_0000, count: length)
            case .emptyInput: return characters
            }
        }
    }

    static let slash: UInt32 = 0x2F

    func match(_ path: [UInt32], withParents: Bool) -> Bool {
        if let literal {
            guard path.starts(with: literal) else { return false }
            return path.count == literal.count || withParents && path[literal.count] == Self.slash
        }
        var states = PatternStates(count: tokens.count)
        add(0, to: &states)
        for character in path {
            if withParents, character == Self.slash, states.contains(tokens.count) { return true }
            step(&states, character)
            if states.isEmpty { return false }
        }
        return states.contains(tokens.count)
    }

    func mayMatch(below directory: [UInt32]) -> Bool {
        var states = PatternStates(count: tokens.count)
        add(0, to: &states)
        for character in directory + [Self.slash] {
            step(&states, character)
            if states.isEmpty { return false }
        }
        return true
    }

    /// Goes on to the states after `character`.
    private func step(_ states: inout PatternStates, _ character: UInt32) {
        let isSlash = character == Self.slash
        var current = states
        states.removeAll()
        while let state = current.popFirst() {
            guard state < tokens.count else { continue }
            switch tokens[state] {
            case .literal(let literal): if literal == character { add(state + 1, to: &states) }
            case .any: if !isSlash { add(state + 1, to: &states) }
            case .star: if !isSlash { add(state, to: &states) }
            case .all: add(state, to: &states)
            case .directories: break  // the ones behind it are there as well
            case .insideDirectories:
                states.insert(state)
                if isSlash { add(state + 1, to: &states) }
            case .set(let ranges, let isNegated):
                if !isSlash, ranges.contains(where: { $0.contains(character) }) != isNegated {
                    add(state + 1, to: &states)
                }
            }
        }
    }

    /// Adds a state and those that it is without any character.
    private func add(_ state: Int, to states: inout PatternStates) {
        var state = state
        while states.insert(state), state < tokens.count {
            switch tokens[state] {
            case .star, .all: state += 1
            case .directories:
                states.insert(state + 1)
                state += 2
            case .literal, .any, .set, .insideDirectories: return
            }
        }
    }
}

/// The places in a pattern at which a match can be: bits, as most patterns have few places, or a list.
private struct PatternStates {
    private var bits: UInt64 = 0
    private var isIn: [Bool] = []
    private var list: [Int] = []

    init(count: Int) {
        if count >= UInt64.bitWidth { isIn = [Bool](repeating: false, count: count + 1) }
    }

    var isEmpty: Bool { bits == 0 && list.isEmpty }

    func contains(_ state: Int) -> Bool { isIn.isEmpty ? bits & (1 << UInt64(state)) != 0 : isIn[state] }

    /// - Returns: Whether it was not in.
    @discardableResult mutating func insert(_ state: Int) -> Bool {
        guard !contains(state) else { return false }
        if isIn.isEmpty {
            bits |= 1 << UInt64(state)
        } else {
            isIn[state] = true
            list.append(state)
        }
        return true
    }

    mutating func popFirst() -> Int? {
        if isIn.isEmpty {
            guard bits != 0 else { return nil }
            defer { bits &= bits - 1 }
            return bits.trailingZeroBitCount
        }
        guard let state = list.popLast() else { return nil }
        isIn[state] = false
        return state
    }

    mutating func removeAll() {
        bits = 0
        for state in list { isIn[state] = false }
        list = []
    }
}
