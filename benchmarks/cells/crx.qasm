// Three qubits, RY RZ on each, a ring of CRX, RY on each.
include "stdgates.inc";
@qrnn.weight
input float[64] w0;
@qrnn.weight
input float[64] w1;
@qrnn.weight
input float[64] w2;
@qrnn.weight
input float[64] w3;
@qrnn.weight
input float[64] w4;
@qrnn.weight
input float[64] w5;
@qrnn.weight
input float[64] w6;
@qrnn.weight
input float[64] w7;
@qrnn.weight
input float[64] w8;
@qrnn.weight
input float[64] w9;
@qrnn.weight
input float[64] w10;
@qrnn.weight
input float[64] w11;
@qrnn.feature
input float[64] feature;
qubit[1] io;
qubit[2] hidden;
bit[1] readout;
ry(feature) io[0];
ry(w0) io[0];
rz(w1) io[0];
ry(w2) hidden[0];
rz(w3) hidden[0];
ry(w4) hidden[1];
rz(w5) hidden[1];
crx(w6) io[0], hidden[0];
crx(w7) hidden[0], hidden[1];
crx(w8) hidden[1], io[0];
ry(w9) io[0];
ry(w10) hidden[0];
ry(w11) hidden[1];
readout[0] = measure io[0];
reset io[0];
