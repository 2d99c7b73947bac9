import Glibc

/// Programs of this machine.
public enum ProgramPath {
    /// Where `name` lies in this process' search path, or in the system's own directories.
    public static func find(_ name: String) -> String? {
        let own = getenv("PATH").map { String(cString: $0) } ?? ""
        return "\(own):/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin".split(separator: ":").lazy
            .map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }
}
