import CLinux
import Glibc
import Linux
import SystemPackage

/// The file systems that a container's root and its /proc, /sys and /dev are made of.
extension Probe {
    /// An overlay whose changes lie in `directory`, with a file changed and one removed in it.
    static func overlay(in directory: String) -> Probe {
        let isRoot = CurrentProcess.mayMount
        return Probe(
            "overlay", isRoot ? "roots under a throw-away layer" : "roots under a throw-away layer (userxattr)",
            remedy: overlayRemedy
        ) { () throws(Failure) in
            let place = "\(directory)/.probe.\(getpid())"
            let here = FileDescriptor.workingDirectory
            try step("make", place) { () throws(SystemCallError) in
                try here.makeDirectories("\(place)/lower", mode: 0o700)
                for name in ["changed", "removed"] {
                    try here.open("\(place)/lower/\(name)", O_WRONLY | O_CREAT).closeQuietly()
                }
            }
            defer { try? here.removeTree(place) }  // `try?`: the answer does not depend on it
            try inChild(mounting) { () throws(Failure) in
                let mount = try Overlay(lower: ["\(place)/lower"], layers: place, userAttributes: !isRoot)
                    .make(at: place)
                try step("write", "overlay") { () throws(SystemCallError) in
                    try mount.open("changed", O_WRONLY | O_TRUNC).closeQuietly()
                    try mount.remove("removed")
                    try mount.makeDirectory("made")
                }
            }
        }
    }

    private static let overlayRemedy: @Sendable (Failure) -> String? = { failure in
        failure.remedy ?? "use --storage copy, or put the data directory on ext4, xfs, btrfs or tmpfs"
    }

    /// A file system of each kind that a container has.
    static let filesystems: [Probe] = [
        filesystem(
            "procfs", "a /proc of the container's own", "proc", in: .pid,
            remedy:
                "containers then share this machine's processes and /proc (as with --pid host); to change it, unmask "
                + "/proc around Apus (docker run --security-opt systempaths=unconfined)"),
        filesystem(
            "sysfs", "a /sys of the container's own", "sysfs", in: .network,
            remedy: "containers then see this machine's /sys, read-only"),
        filesystem(
            "mqueue", "message queues of the container's own", "mqueue", in: .ipc,
            remedy: "containers then see this machine's /dev/mqueue"),
        filesystem(
            "devpts", "terminals of the container's own (-t)", "devpts", in: [], options: ["newinstance"],
            remedy: "run without -t, or mount devpts where Apus runs"),
    ]

    private static func filesystem(
        _ name: String, _ meaning: String, _ type: String, in namespaces: Namespaces,
        options: [String] = [], remedy: String
    ) -> Probe {
        let advice: @Sendable (Failure) -> String? = { _ in remedy }
        return Probe(name, meaning, remedy: advice) { () throws(Failure) in
            try inChild(mounting.union(namespaces)) { () throws(Failure) in
                try step("mount", type) { () throws(SystemCallError) in
                    try Mount.make(type, options: options).closeQuietly()
                }
            }
        }
    }

    /// The machine's own root as a container's, put together as `@host` is.
    static func hostRoot(in directory: String) -> Probe {
        let isRoot = CurrentProcess.mayMount
        return Probe("@host", "this machine's root under a throw-away layer") { () throws(Failure) in
            let place = "\(directory)/.probe.\(getpid())"
            let here = FileDescriptor.workingDirectory
            try step("make", place) { () throws(SystemCallError) in
                try here.makeDirectories("\(place)/root", mode: 0o700)
            }
            defer { try? here.removeTree(place) }  // `try?`: the answer does not depend on it
            try inChild(mounting) { () throws(Failure) in
                let root = RootFilesystem.host(layers: "\(place)/layers")
                _ = try root.mount(at: "\(place)/root", inUserNamespace: !isRoot)
            }
        }
    }
}
