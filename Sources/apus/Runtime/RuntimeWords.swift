import Linux

/// An option of a runtime command.
struct RuntimeOption {
    let name: StaticString
    /// One letter; empty for none.
    let short: StaticString
    let takesValue: Bool

    static func flag(_ name: StaticString, _ short: StaticString = "") -> RuntimeOption {
        RuntimeOption(name: name, short: short, takesValue: false)
    }

    static func value(_ name: StaticString, _ short: StaticString = "") -> RuntimeOption {
        RuntimeOption(name: name, short: short, takesValue: true)
    }

    /// As help shows it: `--bundle VALUE, -b`.
    var form: String {
        "--\(name)\(takesValue ? " VALUE" : "")\(short.utf8CodeUnitCount > 0 ? ", -\(short)" : "")"
    }

    /// With one dash or two, as Go's programs take both.
    fileprivate func isNamed(_ name: Substring) -> Bool {
        name.utf8.elementsEqual(self.name.description.utf8)
            || (short.utf8CodeUnitCount > 0 && name.utf8.elementsEqual(short.description.utf8))
    }
}

/// The words of a runtime command, sorted: options before or behind arguments, `--x v` or `--x=v`.
struct RuntimeWords {
    private var options: [(name: StaticString, value: String)] = []
    /// What is no option, in its order.
    private(set) var arguments: [String] = []

    /// - Parameter argumentLimit: After how many arguments no more options are looked for: what follows is a command.
    /// - Throws: For an unknown option, and for one without its value.
    init(
        _ words: ArraySlice<String>, _ known: [RuntimeOption], argumentLimit: Int = Int.max
    ) throws(Failure) {
        var rest = words
        while arguments.count < argumentLimit, let word = rest.popFirst() {
            if word == "--" { break }
            guard word.utf8.first == UInt8(ascii: "-"), word.utf8.count > 1 else {
                arguments.append(word)
                continue
            }
            try take(word, &rest, known)
        }
        arguments += rest
    }

    /// Takes options from what stands behind the arguments, up to the first word that is none.
    ///
    /// - Returns: The rest.
    mutating func takeMore(
        _ words: ArraySlice<String>, _ known: [RuntimeOption]
    ) throws(Failure) -> ArraySlice<String> {
        var rest = words
        while let word = rest.first, word.utf8.first == UInt8(ascii: "-"), word.utf8.count > 1 {
            rest.removeFirst()
            if word == "--" { break }
            try take(word, &rest, known)
        }
        return rest
    }

    private mutating func take(
        _ word: String, _ rest: inout ArraySlice<String>, _ known: [RuntimeOption]
    ) throws(Failure) {
        let (name, attached) = Self.split(word)
        guard let option = known.first(where: { $0.isNamed(name) }) else {
            throw Failure("", "", "flag provided but not defined: \(word)")
        }
        if let attached {
            options.append((option.name, attached))
        } else if !option.takesValue {
            options.append((option.name, "true"))
        } else if let value = rest.popFirst() {
            options.append((option.name, value))
        } else {
            throw Failure("", "", "flag needs an argument: \(word)")
        }
    }

    private static func split(_ word: String) -> (name: Substring, value: String?) {
        let text = word.utf8.dropFirst(word.utf8.dropFirst().first == UInt8(ascii: "-") ? 2 : 1)
        guard let equals = text.firstIndex(of: UInt8(ascii: "=")) else { return (Substring(text), nil) }
        return (Substring(text[..<equals]), String(Substring(text[text.index(after: equals)...])))
    }

    /// The last value given.
    func value(_ name: StaticString) -> String? {
        options.last { $0.name.utf8Start == name.utf8Start || $0.name.description == name.description }?.value
    }

    /// All values given, in their order.
    func values(_ name: StaticString) -> [String] {
        options.filter { $0.name.description == name.description }.map(\.value)
    }

    /// Whether a flag is set.
    func has(_ name: StaticString) throws(Failure) -> Bool {
        guard let value = value(name) else { return false }
        return try Self.boolean(value, name)
    }

    /// A number that is not negative; 0 when the option is missing.
    func count(_ name: StaticString) throws(Failure) -> Int {
        guard let value = value(name) else { return 0 }
        guard let number = Int(value), number >= 0, number < 1 << 16 else {
            throw Failure("", "", "invalid value \"\(value)\" for flag -\(name): a number from 0 to 65535 is wanted")
        }
        return number
    }

    /// As Go's `strconv.ParseBool`.
    static func boolean(_ value: String, _ name: StaticString) throws(Failure) -> Bool {
        switch value {
        case "1", "t", "T", "true", "TRUE", "True": return true
        case "0", "f", "F", "false", "FALSE", "False": return false
        default: throw Failure("", "", "invalid boolean value \"\(value)\" for -\(name)")
        }
    }

    /// The ID of a container, which is the only argument.
    func id(of command: String) throws(Failure) -> String {
        guard arguments.count == 1 else {
            throw Failure("", "", "\"\(command)\" requires exactly 1 argument, the container's ID")
        }
        return arguments[0]
    }
}
