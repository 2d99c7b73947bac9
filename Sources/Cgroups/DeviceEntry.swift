import OCI

/// What a process may do to a device, in the numbers of the kernel's `BPF_DEVCG_ACC_*`.
struct DeviceAccess: OptionSet, Sendable, Equatable {
    let rawValue: UInt8

    static let make = Self(rawValue: 1)
    static let read = Self(rawValue: 2)
    static let write = Self(rawValue: 4)
    static let all: Self = [.make, .read, .write]

    init(rawValue: UInt8) { self.rawValue = rawValue }

    /// From letters of `rwm`; nothing at all stands for all.
    init(_ letters: String?) throws(DeviceEntry.Invalid) {
        var access: Self = []
        for letter in (letters ?? "").utf8 {
            switch letter {
            case UInt8(ascii: "r"): access.insert(.read)
            case UInt8(ascii: "w"): access.insert(.write)
            case UInt8(ascii: "m"): access.insert(.make)
            default: throw DeviceEntry.Invalid("access '\(letters ?? "")' is not made of r, w and m")
            }
        }
        self = access.isEmpty ? .all : access
    }

    /// As devices.allow takes it: `rwm`.
    var letters: String {
        (contains(.read) ? "r" : "") + (contains(.write) ? "w" : "") + (contains(.make) ? "m" : "")
    }
}

/// A rule of the device controller as the kernel can be told it.
struct DeviceEntry: Sendable, Equatable {
    enum Kind: String, Sendable {
        case any = "a"
        case block = "b"
        case character = "c"
    }

    /// Why a rule of a Spec is none.
    struct Invalid: Error {
        let reason: String
        init(_ reason: String) { self.reason = reason }
    }

    var allow: Bool
    var kind: Kind
    /// `nil` for every one.
    var major: UInt32?
    /// `nil` for every one.
    var minor: UInt32?
    var access: DeviceAccess

    /// - Throws: for a type, a number or an access that there is not.
    init(_ rule: Spec.DeviceRule) throws(Invalid) {
        allow = rule.allow
        guard let kind = Kind(rawValue: (rule.type ?? "").isEmpty ? "a" : rule.type!) else {
            throw Invalid("type '\(rule.type ?? "")' is none of a, b and c")
        }
        self.kind = kind
        major = try Self.number(rule.major)
        minor = try Self.number(rule.minor)
        access = try DeviceAccess(rule.access)
    }

    private init(allow: Bool, kind: Kind, major: UInt32?, minor: UInt32?, access: DeviceAccess) {
        self.allow = allow
        self.kind = kind
        self.major = major
        self.minor = minor
        self.access = access
    }

    private static func number(_ number: Int64?) throws(Invalid) -> UInt32? {
        guard let number, number >= 0 else { return nil }
        guard let number = UInt32(exactly: number) else { throw Invalid("there is no device number \(number)") }
        return number
    }

    /// Whether it decides about every access to every device, whatever came before it.
    var isTotal: Bool { kind == .any && major == nil && minor == nil && access == .all }

    /// As devices.allow and devices.deny take it: `c 1:3 rwm`.
    var text: String {
        "\(kind.rawValue) \(major.map { "\($0)" } ?? "*"):\(minor.map { "\($0)" } ?? "*") \(access.letters)"
    }

    // MARK: cgroup v1

    /// The same for the kernel's list of v1, for which `a` always means all access to all devices.
    static func forV1(_ entries: [DeviceEntry]) -> [DeviceEntry] {
        entries.flatMap { entry in
            guard entry.kind == .any, !entry.isTotal else { return [entry] }
            return [Kind.character, .block].map { kind in
                DeviceEntry(
                    allow: entry.allow, kind: kind, major: entry.major, minor: entry.minor, access: entry.access)
            }
        }
    }

    /// The first entry that v1 would take and not heed.
    ///
    /// Its list holds the exceptions from one default, and an opposite entry only removes an exception for just the
    /// same numbers: it cannot take one device out of an exception for many.
    ///
    /// - Note: cgroup-v1 devices.rst; security/device_cgroup.c.
    static func unheeded(_ entries: [DeviceEntry]) -> DeviceEntry? {
        var exceptions: [DeviceEntry] = []
        // A new cgroup is like the one above it, which as a rule allows all.
        var allows = true
        for entry in entries {
            if entry.isTotal {
                allows = entry.allow
                exceptions = []
            } else if entry.allow != allows {
                exceptions.append(entry)
            } else if exceptions.contains(where: { $0.overlaps(entry) && !$0.hasSameNumbers(as: entry) }) {
                return entry
            } else {
                for index in exceptions.indices where exceptions[index].hasSameNumbers(as: entry) {
                    exceptions[index].access.subtract(entry.access)
                }
            }
        }
        return nil
    }

    private func hasSameNumbers(as other: DeviceEntry) -> Bool {
        kind == other.kind && major == other.major && minor == other.minor
    }

    private func overlaps(_ other: DeviceEntry) -> Bool {
        kind == other.kind && !access.isDisjoint(with: other.access)
            && (major == nil || other.major == nil || major == other.major)
            && (minor == nil || other.minor == nil || minor == other.minor)
    }
}
