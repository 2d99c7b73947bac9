import Linux
import OCI

/// The device controller of v1 as properties of a unit: when systemd reads its configuration anew it writes the lists of
/// its units once more, and by one without these everything would be allowed.
///
/// - Note: systemd.resource-control(5), `DevicePolicy` and `DeviceAllow`. On v2 systemd would add a program of its own,
///   which takes nothing from ours.
extension SystemdProperties {
    /// - Parameter groups: The drivers by their kind and number, as /proc/devices has them.
    /// - Throws: `Failure` for a rule that is none.
    mutating func addDevices(_ rules: [Spec.DeviceRule], groups: DeviceGroups) throws(Failure) {
        var allowed: [DeviceEntry] = []
        var allowsAll = true
        do throws(DeviceEntry.Invalid) {
            for entry in DeviceEntry.forV1(try Self.entries(rules)) {
                if entry.isTotal {
                    allowsAll = entry.allow
                    allowed = []
                } else if entry.allow {
                    allowed.append(entry)
                } else {
                    allowed.removeAll { $0.covers(entry) && entry.covers($0) }
                }
            }
        } catch {
            throw Failure("limit devices", "linux.resources.devices", error.reason)
        }
        // What is taken out of everything systemd cannot say; the list in the kernel says it until then.
        guard !allowsAll else { return text("DevicePolicy", "auto") }
        text("DevicePolicy", "strict")
        pairs("DeviceAllow", allowed.compactMap { entry in groups.path(of: entry).map { ($0, entry.access.letters) } })
    }

    private static func entries(_ rules: [Spec.DeviceRule]) throws(DeviceEntry.Invalid) -> [DeviceEntry] {
        var entries: [DeviceEntry] = []
        for rule in rules { entries.append(try DeviceEntry(rule)) }
        return entries
    }
}

extension DeviceEntry {
    /// Whether it names all devices that `other` names, and all that may be done to them.
    fileprivate func covers(_ other: DeviceEntry) -> Bool {
        kind == other.kind && (major == nil || major == other.major) && (minor == nil || minor == other.minor)
            && access.isSuperset(of: other.access)
    }
}

/// The names of drivers, by which systemd knows the devices of one major number.
///
/// - Note: proc_devices(5).
struct DeviceGroups {
    private var names: [String: String] = [:]

    /// - Parameter text: Of /proc/devices.
    init(_ text: String) {
        var kind = "char"
        for line in text.split(separator: "\n") {
            if line.hasPrefix("Block") { kind = "block" }
            let words = line.split(separator: " ")
            guard words.count == 2, let major = UInt32(words[0]), names["\(kind) \(major)"] == nil else { continue }
            names["\(kind) \(major)"] = String(words[1])
        }
    }

    /// - Returns: `nil` for a number that no driver has: there is no such device.
    func path(of entry: DeviceEntry) -> String? {
        let kind = entry.kind == .block ? "block" : "char"
        guard let major = entry.major else { return entry.minor == nil ? "\(kind)-*" : nil }
        if let minor = entry.minor { return "/dev/\(kind)/\(major):\(minor)" }
        return names["\(kind) \(major)"].map { "\(kind)-\($0)" }
    }
}
