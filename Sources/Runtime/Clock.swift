import Glibc

/// The time, as states and logs have it.
public enum Clock {
    /// Now, as RFC 3339 in UTC: `2024-05-06T07:08:09.123456789Z`.
    ///
    /// - Parameter fraction: Whether with nanoseconds.
    public static func rfc3339(fraction: Bool = true) -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let (year, month, day) = date(daysSince1970: now.tv_sec / 86400)
        // By hand: gmtime_r reads /etc/localtime first, and a number's first `description` takes longer than that.
        var text: [UInt8] = []
        func put(_ number: Int, _ digits: Int, before separator: Unicode.Scalar) {
            var divisor = 1
            for _ in 1..<digits { divisor *= 10 }
            while divisor > 0 {
                text.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
                divisor /= 10
            }
            text.append(UInt8(ascii: separator))
        }
        put(year, 4, before: "-")
        put(month, 2, before: "-")
        put(day, 2, before: "T")
        put(now.tv_sec / 3600 % 24, 2, before: ":")
        put(now.tv_sec / 60 % 60, 2, before: ":")
        put(now.tv_sec % 60, 2, before: fraction ? "." : "Z")
        if fraction { put(Int(now.tv_nsec), 9, before: "Z") }
        return String(decoding: text, as: UTF8.self)
    }

    /// The date in the Gregorian calendar.
    ///
    /// Years begin in March here, so that the day that is not always there is a year's last; 400 years have 146097 days.
    static func date(daysSince1970: Int) -> (year: Int, month: Int, day: Int) {
        let days = daysSince1970 + 719_468  // since the 1st of March of the year 0
        let dayOfEra = days % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let year = days / 146_097 * 400 + yearOfEra
        return (month < 10 ? year : year + 1, month < 10 ? month + 3 : month - 9, dayOfYear - (153 * month + 2) / 5 + 1)
    }
}
