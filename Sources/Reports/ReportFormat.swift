/// What a report is written as.
public enum ReportFormat: String, Sendable, CaseIterable {
    case json
    case html
}

extension UsageReport {
    /// As a file of that format has it.
    public func bytes(_ format: ReportFormat) -> [UInt8] {
        switch format {
        case .json: text
        case .html: Array(html.utf8)
        }
    }
}
