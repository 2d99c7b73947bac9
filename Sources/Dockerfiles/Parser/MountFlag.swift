/// The value of `RUN --mount`: `type=cache,target=/x,…`, fields as in a line of CSV.
struct MountFlag {
    private let fields: [String]
    private let escape: UInt8
    /// What values mean; `nil` while it is not known what variables hold.
    private let expand: ((String) throws(SyntaxError) -> String)?

    private var mount = RunMount(kind: .bind)
    /// Whether `type` is not known yet, and so not what other keys mean.
    private var isTypeUnknown = false
    private var hasSharing = false

    init(
        _ text: String, escape: UInt8, expand: ((String) throws(SyntaxError) -> String)? = nil
    ) throws(SyntaxError) {
        fields = try Self.split(text)
        self.escape = escape
        self.expand = expand
    }

    /// - Throws: For keys that there are not, values that cannot be, and what does not go together.
    func parsed() throws(SyntaxError) -> RunMount {
        var copy = self
        for field in fields { try copy.read(field) }
        try copy.check()
        return copy.mount
    }

    // MARK: Fields

    private static let keys = [
        "type", "from", "source", "src", "target", "dst", "destination", "readonly", "ro", "readwrite", "rw", "id",
        "sharing", "required", "size", "mode", "uid", "gid", "env",
    ]

    private mutating func read(_ field: String) throws(SyntaxError) {
        let equals = field.firstIndex(of: "=")
        let key = field[..<(equals ?? field.endIndex)].lowercased()
        guard Self.keys.contains(key) else {
            throw SyntaxError(
                "--mount has no key '\(key)'",
                remedy: didYouMean(key, among: Self.keys) ?? "it has \(Self.keys.joined(separator: ", "))")
        }
        guard let equals else {
            guard ["readonly", "ro", "readwrite", "rw", "required"].contains(key) else {
                throw SyntaxError("'\(key)' of --mount has no value", remedy: "give '\(key)=VALUE'")
            }
            return try set(key, "true")
        }
        let raw = String(field[equals...].dropFirst())
        if key == "from", raw.contains("$") {
            throw SyntaxError(
                "'from' of --mount takes no variables", remedy: "name a stage: FROM \(raw) AS NAME, then from=NAME")
        }
        if let expand {
            try set(key, try expand(raw))
        } else if raw.utf8.contains(where: { $0 == UInt8(ascii: "$") || $0.isQuote || $0 == escape }) {
            try setUnexpanded(key, raw)
        } else {
            try set(key, raw)
        }
    }

    /// Keeps a text until it is expanded; of what is no text, nothing is known yet.
    private mutating func setUnexpanded(_ key: String, _ value: String) throws(SyntaxError) {
        switch key {
        case "type": isTypeUnknown = true
        case "sharing": hasSharing = true
        case "readonly", "ro", "readwrite", "rw", "required": break
        case "size": mount.size = value
        case "mode": mount.mode = value
        case "uid": mount.uid = value
        case "gid": mount.gid = value
        default: try set(key, value)
        }
    }

    private mutating func set(_ key: String, _ value: String) throws(SyntaxError) {
        switch key {
        case "type":
            mount.kind = try choice(key, value.lowercased(), ["bind", "cache", "tmpfs", "secret", "ssh"])
            isTypeUnknown = false
        case "sharing":
            mount.sharing = try choice(key, value.lowercased(), ["shared", "private", "locked"])
            hasSharing = true
        case "from": mount.from = value
        case "source", "src": mount.source = value
        case "target", "dst", "destination": mount.target = value
        case "id": mount.id = value
        case "env": mount.environment = value
        case "readonly", "ro": mount.readOnly = try bool(key, value)
        case "readwrite", "rw": mount.readOnly = !(try bool(key, value))
        case "required": mount.required = try bool(key, value)
        case "size": mount.size = try valid(key, value, Self.isSize(value), "give one such as 64m")
        case "mode": mount.mode = try valid(key, value, UInt32(value, radix: 8) != nil, "give an octal number")
        case "uid": mount.uid = try valid(key, value, UInt32(value) != nil, "give a number")
        default: mount.gid = try valid(key, value, UInt32(value) != nil, "give a number")
        }
    }

    private func choice<Choice: RawRepresentable<String>>(
        _ key: String, _ value: String, _ choices: [String]
    ) throws(SyntaxError) -> Choice {
        if let choice = Choice(rawValue: value) { return choice }
        throw SyntaxError(
            "'\(key)' of --mount cannot be '\(value)'",
            remedy: didYouMean(value, among: choices) ?? "give \(choices.joined(separator: ", "))")
    }

    private func bool(_ key: String, _ value: String) throws(SyntaxError) -> Bool {
        guard let bool = Bool(goText: value) else {
            throw SyntaxError("'\(key)' of --mount is neither true nor false: '\(value)'")
        }
        return bool
    }

    private func valid(
        _ key: String, _ value: String, _ isValid: Bool, _ remedy: String
    ) throws(SyntaxError) -> String {
        guard isValid else { throw SyntaxError("'\(key)' of --mount cannot be '\(value)'", remedy: remedy) }
        return value
    }

    /// Digits, perhaps with a point, and perhaps a unit.
    private static func isSize(_ text: String) -> Bool {
        let number = text.prefix { $0 == "." || ("0"..."9").contains($0) }
        let unit = text[number.endIndex...].drop { $0 == " " }.lowercased()
        let units = ["", "b"] + "kmgtp".flatMap { ["\($0)", "\($0)b", "\($0)ib"] }
        return Double(number) != nil && units.contains(unit)
    }

    // MARK: All together

    private func check() throws(SyntaxError) {
        guard !isTypeUnknown else { return }
        let kind = mount.kind.rawValue
        if mount.required, mount.kind != .secret && mount.kind != .ssh {
            throw SyntaxError("a \(kind) mount takes no 'required'")
        }
        if mount.size != nil, mount.kind != .tmpfs { throw SyntaxError("a \(kind) mount takes no 'size'") }
        if hasSharing, mount.kind != .cache { throw SyntaxError("a \(kind) mount takes no 'sharing'") }
        if mount.kind == .bind || mount.kind == .tmpfs {
            for (key, value) in [("mode", mount.mode), ("uid", mount.uid), ("gid", mount.gid)] where value != nil {
                throw SyntaxError("a \(kind) mount takes no '\(key)'")
            }
        }
        if mount.environment != nil, mount.kind != .secret { throw SyntaxError("a \(kind) mount takes no 'env'") }
        if mount.kind == .secret { try checkSecret() }
    }

    private func checkSecret() throws(SyntaxError) {
        if mount.from != nil { throw SyntaxError("a secret mount takes no 'from'") }
        if mount.source ?? mount.target ?? mount.id == nil {
            throw SyntaxError("a secret mount without 'id'", remedy: "give 'id=NAME'")
        }
        if mount.source != nil, mount.id != nil {
            throw SyntaxError("a secret mount with 'source' and 'id'", remedy: "give one of them")
        }
    }

    // MARK: CSV

    /// Splits at commas that are not within `"`; two quotes within are one.
    private static func split(_ text: String) throws(SyntaxError) -> [String] {
        var fields: [String] = []
        var field: [UInt8] = []
        var isQuoted = false
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "\"") where isQuoted && rest.first == byte: field.append(rest.removeFirst())
            case UInt8(ascii: "\"") where isQuoted: isQuoted = false
            case UInt8(ascii: "\"") where field.isEmpty: isQuoted = true
            case UInt8(ascii: ",") where !isQuoted:
                fields.append(field[...].text)
                field = []
            default: field.append(byte)
            }
        }
        if isQuoted { throw SyntaxError("nothing closes a quote in --mount") }
        return fields + [field[...].text]
    }
}
