import CLinux
import Glibc
import Linux
import SystemPackage
import Testing

/// A machine's network that a test may change: a network namespace of its own, with a cable to a second machine.
///
/// The machine is 198.51.100.1 and fd33::1, the client 198.51.100.2 and fd33::2, which is also its way to everywhere.
final class NetworkLab {
    private let machine: RunningProcess
    private let client: pid_t
    private let apus: Apus

    /// A shell command that prints what somebody answers, or fails. What goes by UDP may be lost, and is sent again.
    static func ask(_ address: String, _ port: Int, _ kind: String = "tcp") -> String {
        let place = "\(kind.uppercased()):\(address):\(port)"
        guard kind == "udp" else { return "echo | socat -t 30 -T 30 - \(place),connect-timeout=3" }
        return """
            for attempt in 1 2 3 4 5; do
                answer=$(echo | socat -t 2 -T 2 - \(place)); test -z "$answer" || { echo "$answer"; exit 0; }
            done; exit 1
            """
    }

    static let machineAddress = "198.51.100.1"
    static let clientAddress = "198.51.100.2"

    init(_ apus: Apus) throws {
        self.apus = apus
        let script = """
            set -e
            mount --make-rprivate /
            mknod "$0/tun" c 10 200 && chmod 666 "$0/tun" && mount --bind "$0/tun" /dev/net/tun
            ip link set lo up
            echo 0 >/proc/sys/net/ipv4/ip_forward
            setpriv --pdeathsig KILL unshare --net sleep 100000 >/dev/null &
            while [ "$(readlink /proc/$!/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do :; done
            ip link add out type veth peer name eth0 netns $!
            ip addr add 198.51.100.1/24 dev out; ip addr add fd33::1/64 dev out nodad; ip link set out up
            nsenter --net=/proc/$!/ns/net sh -c '
                ip link set lo up; ip addr add 198.51.100.2/24 dev eth0; ip addr add fd33::2/64 dev eth0 nodad
                ip link set eth0 up'
            ip route add default via 198.51.100.2; ip -6 route add default via fd33::2
            echo $! >"$0/client"
            echo ready
            exec sleep 100000
            """
        machine = try RunningProcess(
            ["/usr/bin/unshare", "--net", "--mount", "/bin/sh", "-c", script, apus.directory],
            environment: ["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"], directory: "/")
        try machine.waitForOutput("ready")
        let number = try FileDescriptor.workingDirectory.contents(of: "\(apus.directory)/client", limit: 16)
        client = try #require(pid_t(String(decoding: number, as: UTF8.self).trimmed))
        apus.place = [
            "/usr/bin/nsenter", "--net=/proc/\(machine.pid)/ns/net", "--mount=/proc/\(machine.pid)/ns/mnt", "--",
        ]
        apus.environment["APUS_NETWORK"] = nil
    }

    /// Runs a script as root of the machine.
    func onMachine(_ script: String) throws -> Outcome {
        try run(apus.place + ["/bin/sh", "-c", script])
    }

    /// Has the client answer each connection to these ports with the port's number, as long as the test holds what this
    /// returns.
    func serveOnClient(_ ports: Int...) throws -> RunningProcess {
        let servers = ports.map { "socat -t 10 TCP6-LISTEN:\($0),fork,reuseaddr,ipv6only=0 'SYSTEM:echo \($0)' &" }
        let words = [
            "/usr/bin/nsenter", "--net=/proc/\(client)/ns/net", "--", "/bin/sh", "-c",
            servers.joined(separator: " ") + " wait",
        ]
        let running = try RunningProcess(words, environment: Self.environment, directory: "/")
        let listening = ports.map { "grep -q ':\(String($0, radix: 16, uppercase: true)) ' /proc/net/tcp6" }
        let waited = try onClient("until \(listening.joined(separator: " && ")); do :; done")
        try #require(waited.status == 0, "\(waited)")
        return running
    }

    /// Starts a program as root of the machine, which ends with the test.
    func startOnMachine(_ words: [String]) throws -> RunningProcess {
        try RunningProcess(apus.place + words, environment: Self.environment, directory: apus.directory)
    }

    /// Starts a program as root of the client, which ends with the test.
    func startOnClient(_ words: [String]) throws -> RunningProcess {
        try RunningProcess(
            ["/usr/bin/nsenter", "--net=/proc/\(client)/ns/net", "--"] + words, environment: Self.environment,
            directory: "/")
    }

    /// Runs a script as root of the client.
    func onClient(_ script: String) throws -> Outcome {
        try run(["/usr/bin/nsenter", "--net=/proc/\(client)/ns/net", "--", "/bin/sh", "-c", script])
    }

    private static let environment = ["PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]

    private func run(_ words: [String]) throws -> Outcome {
        try RunningProcess(words, environment: Self.environment, directory: "/").wait()
    }

    /// Waits until nothing of a container is left among the machine's devices: the kernel removes them by and by.
    func waitForNoDevices() throws {
        let gone = try onMachine("while ip -o link | grep -q ': av'; do :; done")
        #expect(gone.status == 0, "\(gone)")
    }

    /// What is published: the elements of all maps.
    func publishedElements() throws -> [String] {
        try onMachine("nft list ruleset").output.split(separator: "\n").map { $0.trimmed }
            .filter { $0.hasPrefix("elements") }
    }
}

/// Runs `body` with an Apus of its own on a machine with a network of its own, and with networks as they are by default.
func withNetworks(
    _ caller: Caller = .root, location: SourceLocation = #_sourceLocation, _ body: (Apus, NetworkLab) throws -> Void
) throws {
    try withApus(caller, location: location) { apus in
        let lab = try NetworkLab(apus)
        defer {
            do {
                let running = try apus("ps", "-aq").lines
                if !running.isEmpty { try apus.succeed(["rm", "-f"] + running) }
            } catch {
                Issue.record(error, "cannot remove the containers", sourceLocation: location)
            }
            apus.place = []  // from here on there is no such place
        }
        try body(apus, lab)
    }
}

extension Apus {
    /// Starts a container that answers each connection to port 80, by TCP and by UDP, with the address it comes from.
    @discardableResult
    func serveAddresses(_ name: String, _ flags: [String]) throws -> String {
        // What nobody reads would be an error, and the answer lost.
        let answer = "SYSTEM:'read line; echo from \\$SOCAT_PEERADDR'"
        let script = """
            socat -t 10 UDP4-RECVFROM:80,fork "\(answer)" & socat -t 10 UDP6-RECVFROM:80,fork,ipv6only=1 "\(answer)" &
            socat -t 10 TCP6-LISTEN:80,fork,reuseaddr,ipv6only=1 "\(answer)" &
            exec socat -t 10 TCP4-LISTEN:80,fork,reuseaddr "\(answer)"
            """
        let id = try succeed(["run", "-d", "--name", name] + flags + ["@host", "sh", "-c", script])
        // Both listen when the kernel says so.
        let listens =
            "for file in tcp tcp6 udp udp6; do until grep -q ':0050 ' /proc/net/$file; do :; done; done"
        let waited = try self("exec", name, "sh", "-c", listens)
        try #require(waited.status == 0, "\(waited)")
        return id
    }

    /// Runs a script in a container whose root is the machine's: others need not have the files that are mounted.
    func shell(onHostWith flags: [String], _ script: String) throws -> Outcome {
        try self(["run", "--rm"] + flags + ["@host", "sh", "-c", script])
    }

    func address(of container: String) throws -> String { try inspect(container, "{{.NetworkSettings.IPAddress}}") }
}
