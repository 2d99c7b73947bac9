/// The `--name=value` of one instruction.
struct InstructionFlags {
    enum Kind { case bool, text, list }

    private var values: [String: [Fragment]] = [:]

    /// - Throws: For names that are not in `allowed`, values that are missing or too many, and what is no boolean.
    init(_ split: SplitInstruction, _ allowed: KeyValuePairs<String, Kind> = [:]) throws(SyntaxError) {
        for flag in split.flags {
            let equals = flag.text.firstIndex(of: "=")
            let name = String(flag.text[..<(equals ?? flag.text.endIndex)].dropFirst(2))
            guard let kind = allowed.first(where: { $0.key == name })?.value else {
                throw Self.unknown(name, of: split.keyword.text.uppercased(), allowed.map(\.key), at: flag.offset)
            }
            if values[name] != nil && kind != .list {
                throw SyntaxError("'--\(name)' is there twice", remedy: "remove one", at: flag.offset)
            }
            guard let equals else {
                guard kind == .bool else {
                    throw SyntaxError("'--\(name)' has no value", remedy: "give '--\(name)=VALUE'", at: flag.offset)
                }
                values[name] = [Fragment(text: "true", offset: flag.offset)]
                continue
            }
            let value = Fragment(
                text: String(flag.text[equals...].dropFirst()), offset: flag.offset + 3 + name.utf8.count)
            if kind == .bool, !["true", "false"].contains(value.text.lowercased()) {
                throw SyntaxError("'--\(name)' is neither true nor false: '\(value.text)'", at: flag.offset)
            }
            values[name, default: []].append(value)
        }
    }

    private static func unknown(
        _ name: String, of keyword: String, _ allowed: [String], at offset: Int
    ) -> SyntaxError {
        let known = allowed.map { "'--\($0)'" }.joined(separator: ", ")
        return SyntaxError(
            "\(keyword) has no flag '--\(name)'",
            remedy: didYouMean(name, among: allowed, quotedWith: "--")
                ?? (known.isEmpty ? "put '--' before arguments that begin so" : "it has \(known)"),
            at: offset)
    }

    subscript(_ name: String) -> Fragment? { values[name]?.first }

    func all(_ name: String) -> [Fragment] { values[name] ?? [] }

    /// - Returns: `nil` if it is not there.
    func bool(_ name: String) -> Bool? { self[name].map { $0.text.lowercased() == "true" } }
}
