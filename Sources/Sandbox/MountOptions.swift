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
    /// Whether a mount that is there already changes, rather than a new one being made.
    public var isRemount = false
    /// Copies what the root has at the target into the new tmpfs.
    public var copiesUp = false
    /// What is left: the file system's own options, `key=value` or a flag.
    public var data: [String] = []

    /// Sorts `options`; later ones win.
    public init(_ options: [String]) {
        for option in options { take(option) }
    }

    private mutating func take(_ option: String) {
        if takePropagation(option) { return }
        switch option {
        case "bind": isBind = true
        case "rbind": (isBind, isRecursiveBind) = (true, true)
        case "remount": isRemount = true
        case "tmpcopyup": copiesUp = true
        case "notmpcopyup": copiesUp = false
        case "idmap", "ridmap": break  // carried out before the clone
        case "defaults", "async", "loud", "silent", "iversion", "noiversion", "mand", "nomand", "nolazytime":
            break  // the defaults of every file system, or nothing that a kernel with fsopen(2) still looks at
        default:
            if let (set, clear) = Self.attributes(of: option) {
                take(set: set, clear: clear, recursive: false)
            } else if option.utf8.first == UInt8(ascii: "r"),
                let (set, clear) = Self.attributes(of: String(option.dropFirst()))
            {
                take(set: set, clear: clear, recursive: true)
            } else {
                data.append(option)
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
        guard let (propagation, recursive) = Propagation.reading(option) else { return false }
        self.propagation = propagation
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

extension Propagation {
    /// Reads `private`, `slave`, `shared` or `unbindable`, and with an `r` before it for all mounts below as well.
    ///
    /// - Returns: `nil` for any other word.
    static func reading(_ word: String) -> (propagation: Propagation, isRecursive: Bool)? {
        switch word {
        case "private": (.private, false)
        case "rprivate": (.private, true)
        case "slave": (.slave, false)
        case "rslave": (.slave, true)
        case "shared": (.shared, false)
        case "rshared": (.shared, true)
        case "unbindable": (.unbindable, false)
        case "runbindable": (.unbindable, true)
        default: nil
        }
    }
}
