import CLinux
import Glibc
public import Linux

/// The options of one mount in a Spec, sorted by what carries them out.
///
/// - Note: OCI runtime-spec, config.md, "Linux mount options"; mount(8).
public struct MountOptions: Sendable, Equatable {
    /// Attributes to set, and to clear, on this mount alone.
    public var set: MountAttributes = []
    public var clear: MountAttributes = []
    /// The same for this mount and all below it (`rro`, `rnosuid`…).
    public var recursiveSet: MountAttributes = []
    public var recursiveClear: MountAttributes = []
    /// `nil` leaves it as the mount has it.
    public var propagation: Propagation?
    public var propagationIsRecursive = false
    /// Whether the source is a path, rather than a file system.
    public var isBind = false
    /// Whether the mounts below the source come along.
    public var isRecursiveBind = false
    /// Copies what the root has at the target into the new tmpfs.
    public var copiesUp = false
    /// What is left: the file system's own options.
    public var data: [(key: String, value: String?)] = []

    public static func == (one: Self, other: Self) -> Bool {
        one.set == other.set && one.clear == other.clear && one.recursiveSet == other.recursiveSet
            && one.recursiveClear == other.recursiveClear && one.propagation == other.propagation
            && one.propagationIsRecursive == other.propagationIsRecursive && one.isBind == other.isBind
            && one.isRecursiveBind == other.isRecursiveBind && one.copiesUp == other.copiesUp
            && one.data.elementsEqual(other.data) { $0 == $1 }
    }

    /// Sorts `options`; later ones win.
    public init(_ options: [String]) {
        for option in options { take(option) }
    }

    private mutating func take(_ option: String) {
        if takePropagation(option) { return }
        switch option {
        case "bind": isBind = true
        case "rbind": (isBind, isRecursiveBind) = (true, true)
        case "tmpcopyup": copiesUp = true
        case "notmpcopyup": copiesUp = false
        case "defaults", "async", "sync", "dirsync", "loud", "silent", "iversion", "noiversion", "mand", "nomand":
            break  // the defaults of every file system that a container mounts
        default:
            if let (set, clear) = Self.attributes(of: option) {
                take(set: set, clear: clear, recursive: false)
            } else if option.utf8.first == UInt8(ascii: "r"),
                let (set, clear) = Self.attributes(of: String(option.dropFirst()))
            {
                take(set: set, clear: clear, recursive: true)
            } else if let equals = option.utf8.firstIndex(of: UInt8(ascii: "=")) {
                data.append((String(option[..<equals]), String(option[option.utf8.index(after: equals)...])))
            } else {
                data.append((option, nil))
            }
        }
    }

    private mutating func take(set: MountAttributes, clear: MountAttributes, recursive: Bool) {
        if recursive {
            recursiveSet.subtract(clear)
            recursiveSet.formUnion(set)
            recursiveClear.formUnion(clear)
            recursiveClear.subtract(set.subtracting(.accessTimeMask))
        } else {
            self.set.subtract(clear)
            self.set.formUnion(set)
            self.clear.formUnion(clear)
            self.clear.subtract(set.subtracting(.accessTimeMask))
        }
    }

    private mutating func takePropagation(_ option: String) -> Bool {
        let (name, recursive) = option.first == "r" ? (String(option.dropFirst()), true) : (option, false)
        switch name {
        case "private": propagation = .private
        case "slave": propagation = .slave
        case "shared": propagation = .shared
        case "unbindable": propagation = .unbindable
        default: return false
        }
        propagationIsRecursive = recursive
        return true
    }

    /// What an option of mount(8) sets and clears, or `nil` for a file system's own option.
    private static func attributes(of option: String) -> (set: MountAttributes, clear: MountAttributes)? {
        switch option {
        case "ro": (.readOnly, [])
        case "rw": ([], .readOnly)
        case "nosuid": (.noSetuid, [])
        case "suid": ([], .noSetuid)
        case "nodev": (.noDevices, [])
        case "dev": ([], .noDevices)
        case "noexec": (.noExecute, [])
        case "exec": ([], .noExecute)
        case "nodiratime": (.noDirectoryAccessTimes, [])
        case "diratime": ([], .noDirectoryAccessTimes)
        case "nosymfollow": (.noSymlinks, [])
        case "symfollow": ([], .noSymlinks)
        // The access-time setting is one number: setting any clears the others first.
        case "relatime", "norelatime": ([], .accessTimeMask)
        case "noatime": (.noAccessTimes, .accessTimeMask)
        case "strictatime": (.strictAccessTimes, .accessTimeMask)
        case "atime", "nostrictatime": ([], .accessTimeMask)
        default: nil
        }
    }
}
