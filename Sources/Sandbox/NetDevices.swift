import Glibc
import Linux
import OCI
import SystemPackage

extension Spec {
    /// Whether network devices of the host are to be moved into the container.
    var movesNetDevices: Bool { linux?.netDevices?.isEmpty == false }
}

extension [String: Spec.NetDevice] {
    /// Moves all of them from this process' network namespace into that of another.
    ///
    /// What was moved before a failure goes the way of its new namespace: the kernel gives hardware back and removes the
    /// rest.
    func move(into pid: pid_t) throws(Failure) {
        let namespace = try step("move network devices", "/proc/\(pid)/ns/net") { () throws(SystemCallError) in
            try FileDescriptor.workingDirectory.open("/proc/\(pid)/ns/net")
        }
        defer { namespace.closeQuietly() }
        for (name, device) in self {
            let newName = device.name.flatMap { $0.isEmpty ? nil : $0 } ?? name
            try step("move network device", newName == name ? name : "\(name) as \(newName)") {
                () throws(SystemCallError) in
                try NetworkDevice.move(name, as: newName, into: namespace)
            }
        }
    }
}
