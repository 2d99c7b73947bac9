import Glibc
import Linux
public import Networks
import SystemPackage

/// Networks of containers that exist already.
extension ContainerStore {
    /// Puts a container into a network: at once if it runs, and whenever it is started from then on.
    ///
    /// - Throws: When it is in that network, or has no network namespace of its own.
    public func connect(_ container: Container, to attachment: NetworkAttachment) throws {
        let network = try networks.find(attachment.network)
        try changeNetworks(container, "network connect") { config, state, place in
            var attachments = try Self.attachments(of: config, state, "network connect")
            guard try !attachments.contains(where: { try networks.find($0.network).id == network.id }) else {
                throw Failure("network connect", state.name, "is in network '\(network.name)' already")
            }
            attachments.append(attachment)
            config.network = .networks(attachments)
            guard let place else { return }
            try checkReach(place, state, network)
            var record = state.network ?? NetworkState(mode: network.name)
            let taken = Set(record.members.map(\.interface))
            let index = (0..<36).first { !taken.contains("eth\($0)") } ?? 36
            let name = state.name
            let member = try networks.join(
                network, attachment, ports: [],
                describe: { $0.describe(container.id, name, attachment.aliases, index: index) },
                onNote: { Report.line($0) })
            do {
                try networks.connect(member, of: network, namespace: place.network, isFirst: record.members.isEmpty)
                try networks.announce(network)
            } catch {
                try? networks.disconnect(member)  // `try?`: the first error is the one to report, and so below
                _ = try? networks.leave(network, container: container.id)  // `try?`: as above
                throw error
            }
            record.members.append(member)
            record.mode = record.members[0].network
            state.network = record
        }
    }

    /// Takes a container out of a network.
    ///
    /// - Throws: When it is not in it.
    public func disconnect(_ container: Container, from reference: String) throws {
        let network = try networks.find(reference)
        try changeNetworks(container, "network disconnect") { config, state, place in
            let attachments = try Self.attachments(of: config, state, "network disconnect")
            let left = try attachments.filter { try networks.find($0.network).id != network.id }
            guard left.count < attachments.count else {
                throw Failure("network disconnect", state.name, "is not in network '\(network.name)'")
            }
            config.network = left.isEmpty ? .none : .networks(left)
            guard let place, let member = state.network?.members.first(where: { $0.networkID == network.id }) else {
                return
            }
            try networks.disconnect(member)
            try networks.leave(network, container: container.id)
            state.network?.members.removeAll { $0 == member }
            state.network?.ports.removeAll { member.ports.contains($0) }
            let members = state.network?.members ?? []
            let hadWayOut = geteuid() != 0 && !network.isInternal
            if hadWayOut, try !leadOut(members) {
                try networks.closeWayOut(in: place)
                state.network?.ports = []
            }
            guard let next = members.first else { return }
            state.network?.mode = next.network
            try networks.route(next, namespace: place.network)
        }
    }

    /// Whether one of the networks is no internal one.
    private func leadOut(_ members: [NetworkMember]) throws(Failure) -> Bool {
        for member in members {
            if try !networks.find(member.networkID).isInternal { return true }
        }
        return false
    }

    /// - Throws: For a container of an ordinary user's that cannot be in that network before it is started anew.
    private func checkReach(_ place: NetworkPlace, _ state: ContainerState, _ network: Network) throws(Failure) {
        if geteuid() == 0 { return }
        let remedy = "stop it first, and start it afterwards"
        guard try networks.sharesUsers(place) else {
            throw Failure("network connect", state.name, "was started without a network of its user's", remedy: remedy)
        }
        if network.isInternal { return }
        if try !leadOut(state.network?.members ?? []) {
            throw Failure("network connect", state.name, "was started without a way out", remedy: remedy)
        }
    }

    /// The networks that a container is in, as far as that can change.
    private static func attachments(
        of config: ContainerConfig, _ state: ContainerState, _ verb: String
    ) throws(Failure) -> [NetworkAttachment] {
        switch config.network {
        case .networks(let attachments): return attachments
        case .none: return []
        case .standard where geteuid() == 0:
            let isRunning: Bool = if case .running = state.status { true } else { false }
            // One that was started where there was no network has none.
            return isRunning && state.network == nil ? [] : [NetworkAttachment(network: Network.standardName)]
        case .standard, .pasta, .host, .container:
            throw Failure(
                verb, state.name, "its network is no bridge, and cannot be changed", remedy: "make the container anew")
        }
    }

    /// Changes the records of a container while nobody else does.
    ///
    /// - Parameter change: Gets where a running one is.
    private func changeNetworks(
        _ container: Container, _ verb: String,
        _ change: (inout ContainerConfig, inout ContainerState, NetworkPlace?) throws -> Void
    ) throws {
        let lock = try container.lockRecords()
        defer { lock.closeQuietly() }
        var config = try container.loadConfig()
        var state = try container.loadState()
        var place: NetworkPlace?
        defer { place?.close() }
        if case .running = state.status {
            let process = try container.runningProcess(state, to: verb)
            process.pidfd.closeQuietly()
            place = try NetworkPlace(of: process.pid)
        }
        try change(&config, &state, place)
        try container.save(config)
        try container.save(state)
    }
}
