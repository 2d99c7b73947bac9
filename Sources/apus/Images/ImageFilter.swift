import Containers
import Glibc
import Images

/// Which images `images --filter` shows: for each key, those that match one of its values, and every
/// label.
struct ImageFilter {
    private enum Key: String, CaseIterable {
        case dangling, label, before, since, reference, until
        case labelAbsent = "label!"
    }

    private var values: [Key: [String]] = [:]

    /// - Parameters:
    ///   - keys: Those that the command knows.
    ///   - command: For its errors.
    init(_ filters: [String], keys: [String], command: String) throws {
        for filter in filters {
            let parts = filter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
            guard parts.count == 2 else {
                throw UsageError("--filter '\(filter)' is not of the form KEY=VALUE", command: command)
            }
            guard keys.contains(parts[0]), let key = Key(rawValue: parts[0]) else {
                let known = keys.joined(separator: ", ")
                throw UsageError("--filter '\(filter)': unknown key; \(known) are known", command: command)
            }
            if key == .dangling, !["true", "false", "1", "0"].contains(parts[1]) {
                throw UsageError("--filter '\(filter)': true and false are known", command: command)
            }
            values[key, default: []].append(parts[1])
        }
    }

    /// Whether it says itself whether images without a name are wanted.
    var dangling: Bool? { values[.dangling]?.last.map { $0 == "true" || $0 == "1" } }

    func matches(_ record: ImageRecord, in store: ImageStore) throws -> Bool {
        for (key, wanted) in values where try !matches(key, wanted, record, store) { return false }
        return true
    }

    private func matches(
        _ key: Key, _ wanted: [String], _ record: ImageRecord, _ store: ImageStore
    ) throws -> Bool {
        let created = record.moment
        switch key {
        case .dangling: return dangling == (record.name == nil)
        case .label: return wanted.allSatisfy { Self.hasLabel($0, record) }
        case .labelAbsent: return !wanted.contains { Self.hasLabel($0, record) }
        case .before:
            return try wanted.contains { created < (try ImageCommand.find($0, in: store)).moment }
        case .since:
            return try wanted.contains { created > (try ImageCommand.find($0, in: store)).moment }
        case .until: return try wanted.allSatisfy { created < (try Timestamp(parsing: $0)) }
        case .reference: return wanted.contains { Self.isLike($0, record) }
        }
    }

    private static func hasLabel(_ wanted: String, _ record: ImageRecord) -> Bool {
        let parts = wanted.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
        guard let value = record.config.labels?[parts[0]] else { return false }
        return parts.count == 1 || value == parts[1]
    }

    /// Whether a pattern as shells have them fits the name, with or without its tag and registry.
    static func isLike(_ pattern: String, _ record: ImageRecord) -> Bool {
        guard let reference = record.reference else { return false }
        let names = [reference.familiar, reference.familiarName, reference.canonical, reference.name]
        return names.contains { fnmatch(pattern, $0, FNM_PATHNAME) == 0 }
    }
}

extension ImageRecord {
    /// When it was made; long ago where it does not say so.
    var moment: Timestamp { created.flatMap { Timestamp(rfc3339: $0) } ?? Timestamp(nanoseconds: 0) }
}
