import CLinux
import Glibc
import Linux
import OCI
import SystemPackage

/// A time namespace whose clocks are apart from the host's.
enum TimeOffsets {
    /// Makes one and moves this process into it.
    ///
    /// The kernel takes offsets only as long as nobody is in the namespace: so it is first made for children, and then
    /// joined by its maker. /proc must be that of the machine still.
    ///
    /// - Parameter offsets: By clock, `monotonic` and `boottime`; `nil` or none does nothing.
    /// - Note: time_namespaces(7), "/proc/pid/timens_offsets".
    static func apply(_ offsets: [String: Spec.TimeOffset]?) throws(Failure) {
        guard let offsets, !offsets.isEmpty else { return }
        let lines = offsets.map { "\($0.key) \($0.value.secs ?? 0) \($0.value.nanosecs ?? 0)\n" }.joined()
        try step("set time offsets", lines.split(separator: "\n").joined(separator: ", ")) {
            () throws(SystemCallError) in
            try CurrentProcess.unshare(.time)
            let here = FileDescriptor.workingDirectory
            try here.write(lines, to: "/proc/self/timens_offsets")
            let namespace = try here.open("/proc/self/ns/time_for_children")
            defer { namespace.closeQuietly() }
            try CurrentProcess.join(.time, file: namespace, named: "time")
        }
    }
}
