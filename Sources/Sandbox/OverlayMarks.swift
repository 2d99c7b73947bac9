import CLinux
import Glibc
import Linux
public import SystemPackage

/// The marks that overlayfs leaves in layers, in `trusted.` attributes or, in user namespaces, `user.` ones.
///
/// - Note: the kernel's filesystems/overlayfs.rst, "whiteouts and opaque directories".
public enum OverlayMarks {
    /// Whether nothing below this directory of a layer shows in it.
    public static func isOpaque(_ directory: FileDescriptor) -> Bool {
        attribute("opaque", of: directory).map { $0 == [UInt8(ascii: "y")] } ?? false
    }

    /// Whether an empty file hides what is below it; the other form of a whiteout is a character device 0:0.
    public static func isWhiteout(_ file: FileDescriptor) -> Bool { attribute("whiteout", of: file) != nil }

    /// Whether an extended attribute is overlayfs' own, and none of the file's.
    public static func isMark(_ name: String) -> Bool {
        name.hasPrefix("trusted.overlay.") || name.hasPrefix("user.overlay.")
    }

    private static func attribute(_ name: String, of file: FileDescriptor) -> [UInt8]? {
        for space in ["trusted", "user"] {
            var value = [UInt8](repeating: 0, count: 16)
            let length = fgetxattr(file.rawValue, "\(space).overlay.\(name)", &value, value.count)
            if length >= 0 { return Array(value[..<length]) }
        }
        return nil
    }
}
