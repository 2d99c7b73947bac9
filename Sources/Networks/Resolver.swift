import Linux
import SystemPackage

/// The name servers that a container with a network of its own can use.
public enum Resolver {
    /// Where systemd-resolved keeps those that it asks itself.
    private static let resolvedPath = "/run/systemd/resolve/resolv.conf"

    /// The machine's resolv.conf, without servers that only the machine itself reaches.
    ///
    /// - Parameters:
    ///   - text: The machine's own /etc/resolv.conf.
    ///   - substitute: A server that stands for those where none is left.
    public static func configuration(
        _ text: String, resolved: String? = Resolver.resolvedText, substitute: IPAddress? = nil
    ) -> String {
        if !servers(text).isEmpty { return keeping(text) }
        if let substitute { return keeping(text) + "nameserver \(substitute.text)\n" }
        if let resolved, !servers(resolved).isEmpty { return keeping(resolved) }
        return keeping(text)
    }

    /// What systemd-resolved says, if it runs.
    public static var resolvedText: String? {
        FileDescriptor.contentsIfReadable(of: resolvedPath, limit: 1 << 20).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Servers that others than this machine reach.
    static func servers(_ text: String) -> [IPAddress] {
        text.split(separator: "\n").compactMap { server($0) }.filter { !$0.isLoopback && !$0.isUnspecified }
    }

    private static func server(_ line: Substring) -> IPAddress? {
        let words = line.split { $0 == " " || $0 == "\t" }
        guard words.count >= 2, words[0] == "nameserver" else { return nil }
        // An address of a link names its device, which the container does not have.
        return IPAddress(String(words[1]))
    }

    /// Without lines that name servers which cannot be reached.
    private static func keeping(_ text: String) -> String {
        let kept = text.split(separator: "\n").filter { line in
            guard line.split(whereSeparator: { $0 == " " || $0 == "\t" }).first == "nameserver" else { return true }
            return server(line).map { !$0.isLoopback && !$0.isUnspecified } ?? false
        }
        return kept.isEmpty ? "" : kept.joined(separator: "\n") + "\n"
    }
}
