import Glibc
import Linux
import Networks

/// How containers are connected whose user did not say.
enum NetworkDefault {
    /// The bridge for root, pasta for others; nothing where the helper for that is missing, which is then told.
    ///
    /// - Throws: Where nothing will not do, as ports are to be published.
    static func choose(for config: ContainerConfig) throws(Failure) -> NetworkMode {
        let isRoot = geteuid() == 0
        guard let obstacle = isRoot ? bridgeObstacle() : Pasta.obstacle() else {
            return isRoot ? .networks([NetworkAttachment(network: Network.standardName)]) : .pasta
        }
        if !config.ports.isEmpty || config.publishAll { throw obstacle }
        Report.line(
            "warning: the container has no network: \(obstacle.subject): \(obstacle.reason); \(remedy(obstacle))")
        return .none
    }

    private static func remedy(_ obstacle: Failure) -> String {
        let first = obstacle.remedy?.split(separator: ",").first.map { String($0) } ?? ""
        return "\(first), or say --network none"
    }

    private static func bridgeObstacle() -> Failure? {
        // `try?`: the first step will say
        let mayAdminister = (try? Capabilities.effective())?.contains(.networkAdministration) ?? true
        if !mayAdminister {
            return Failure(
                "network", "root", "lacks CAP_NET_ADMIN here", remedy: "have it given CAP_NET_ADMIN")
        }
        if ProgramPath.find("nft") != nil { return nil }
        return Failure("network", "nft", "not found on this machine", remedy: "install nftables (apt install nftables)")
    }
}
