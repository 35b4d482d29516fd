//! Carries an upgraded connection's bytes both ways until both sides have ended; what they mean is not looked at.

use crate::pool::{Connection, UpstreamIo};
use crate::record::Trace;
use crate::target::Lease;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy_bidirectional};

/// An upgrade that a task agreed to: begins when hyper has sent the 101 to the client.
pub(crate) struct PendingTunnel {
    pub(crate) connection: Connection,
    /// Counts as upgraded until the tunnel ends.
    pub(crate) lease: Lease,
    pub(crate) trace: Trace,
}

impl PendingTunnel {
    /// Runs to its end; `early` is what the client sent before it knew the answer.
    pub(crate) async fn run(self, mut client: impl AsyncRead + AsyncWrite + Unpin, early: &[u8]) {
        let Self {
            connection,
            lease,
            mut trace,
        } = self;
        let Some((mut upstream, first)) = connection.into_tunnel().await else {
            trace.broke("the task closed at the upgrade");
            return;
        };
        let head = upstream.bytes_read() - first.len() as u64;
        let ended = carry(&mut client, &mut upstream, early, &first).await;
        trace.sent(upstream.bytes_read() - head);
        if let Err(error) = ended {
            trace.detail(format!("the tunnel broke: {error}"));
        }
        trace.end();
        drop(lease);
    }
}

async fn carry(
    client: &mut (impl AsyncRead + AsyncWrite + Unpin),
    upstream: &mut UpstreamIo,
    from_client: &[u8],
    from_upstream: &[u8],
) -> std::io::Result<()> {
    upstream.write_all(from_client).await?;
    client.write_all(from_upstream).await?;
    copy_bidirectional(client, upstream).await?;
    Ok(())
}
