// connerty
OPENQASM 3.0;
include "stdgates.inc";
@qrnn.weight
input float[64] w_0_0;
@qrnn.weight
input float[64] w_1_0;
@qrnn.weight
input float[64] w_2_0;
@qrnn.weight
input float[64] w_3_0;
@qrnn.weight
input float[64] w_4_0;
@qrnn.weight
input float[64] w_5_0;
@qrnn.weight
input float[64] w_6_0;
@qrnn.weight
input float[64] w_7_0;
@qrnn.weight
input float[64] w_8_0;
@qrnn.weight
input float[64] w_9_0;
@qrnn.weight
input float[64] w_10_0;
@qrnn.weight
input float[64] w_11_0;
@qrnn.weight
input float[64] w_12_0;
@qrnn.weight
input float[64] w_13_0;
@qrnn.weight
input float[64] w_14_0;
@qrnn.weight
input float[64] w_15_0;
@qrnn.weight
input float[64] w_16_0;
@qrnn.weight
input float[64] w_17_0;
@qrnn.weight
input float[64] w_18_0;
@qrnn.weight
input float[64] w_19_0;
@qrnn.weight
input float[64] w_20_0;
@qrnn.weight
input float[64] w_21_0;
@qrnn.weight
input float[64] w_22_0;
@qrnn.weight
input float[64] w_23_0;
@qrnn.weight
input float[64] w_24_0;
@qrnn.weight
input float[64] w_25_0;
@qrnn.weight
input float[64] w_26_0;
@qrnn.weight
input float[64] w_27_0;
@qrnn.weight
input float[64] w_28_0;
@qrnn.weight
input float[64] w_29_0;
@qrnn.weight
input float[64] w_30_0;
@qrnn.weight
input float[64] w_31_0;
@qrnn.weight
input float[64] w_32_0;
@qrnn.weight
input float[64] w_33_0;
@qrnn.weight
input float[64] w_34_0;
@qrnn.weight
input float[64] w_35_0;
@qrnn.weight
input float[64] w_36_0;
@qrnn.weight
input float[64] w_37_0;
@qrnn.weight
input float[64] w_38_0;
@qrnn.weight
input float[64] w_39_0;
@qrnn.weight
input float[64] w_40_0;
@qrnn.weight
input float[64] w_41_0;
@qrnn.weight
input float[64] w_42_0;
@qrnn.weight
input float[64] w_43_0;
@qrnn.weight
input float[64] w_44_0;
@qrnn.weight
input float[64] w_45_0;
@qrnn.weight
input float[64] w_46_0;
@qrnn.weight
input float[64] w_47_0;
@qrnn.weight
input float[64] w_48_0;
@qrnn.weight
input float[64] w_49_0;
@qrnn.weight
input float[64] w_50_0;
@qrnn.weight
input float[64] w_51_0;
@qrnn.weight
input float[64] w_52_0;
@qrnn.weight
input float[64] w_53_0;
@qrnn.weight
input float[64] w_54_0;
@qrnn.weight
input float[64] b_0;
@qrnn.weight
input float[64] b_1;
@qrnn.weight
input float[64] b_2;
@qrnn.weight
input float[64] b_3;
@qrnn.weight
input float[64] b_4;
@qrnn.weight
input float[64] b_5;
@qrnn.weight
input float[64] b_6;
@qrnn.weight
input float[64] b_7;
@qrnn.weight
input float[64] b_8;
@qrnn.weight
input float[64] b_9;
@qrnn.weight
input float[64] b_10;
@qrnn.weight
input float[64] b_11;
@qrnn.weight
input float[64] b_12;
@qrnn.weight
input float[64] b_13;
@qrnn.weight
input float[64] b_14;
@qrnn.weight
input float[64] b_15;
@qrnn.weight
input float[64] b_16;
@qrnn.weight
input float[64] b_17;
@qrnn.weight
input float[64] b_18;
@qrnn.weight
input float[64] b_19;
@qrnn.weight
input float[64] b_20;
@qrnn.weight
input float[64] b_21;
@qrnn.weight
input float[64] b_22;
@qrnn.weight
input float[64] b_23;
@qrnn.weight
input float[64] b_24;
@qrnn.weight
input float[64] b_25;
@qrnn.weight
input float[64] b_26;
@qrnn.weight
input float[64] b_27;
@qrnn.weight
input float[64] b_28;
@qrnn.weight
input float[64] b_29;
@qrnn.weight
input float[64] b_30;
@qrnn.weight
input float[64] b_31;
@qrnn.weight
input float[64] b_32;
@qrnn.weight
input float[64] b_33;
@qrnn.weight
input float[64] b_34;
@qrnn.weight
input float[64] b_35;
@qrnn.weight
input float[64] b_36;
@qrnn.weight
input float[64] b_37;
@qrnn.weight
input float[64] b_38;
@qrnn.weight
input float[64] b_39;
@qrnn.weight
input float[64] b_40;
@qrnn.weight
input float[64] b_41;
@qrnn.weight
input float[64] b_42;
@qrnn.weight
input float[64] b_43;
@qrnn.weight
input float[64] b_44;
@qrnn.weight
input float[64] b_45;
@qrnn.weight
input float[64] b_46;
@qrnn.weight
input float[64] b_47;
@qrnn.weight
input float[64] b_48;
@qrnn.weight
input float[64] b_49;
@qrnn.weight
input float[64] b_50;
@qrnn.weight
input float[64] b_51;
@qrnn.weight
input float[64] b_52;
@qrnn.weight
input float[64] b_53;
@qrnn.weight
input float[64] b_54;
@qrnn.feature
input float[64] x_0;
qubit[4] io;
qubit[4] hidden;
bit[4] readout;
rz(b_0 + w_0_0*x_0) hidden[0];
rx(b_1 + w_1_0*x_0) hidden[0];
rz(b_2 + w_2_0*x_0) hidden[0];
rz(b_3 + w_3_0*x_0) io[0];
rx(b_4 + w_4_0*x_0) io[0];
rz(b_5 + w_5_0*x_0) io[0];
rz(b_6 + w_6_0*x_0) hidden[1];
rx(b_7 + w_7_0*x_0) hidden[1];
rz(b_8 + w_8_0*x_0) hidden[1];
rz(b_9 + w_9_0*x_0) io[1];
rx(b_10 + w_10_0*x_0) io[1];
rz(b_11 + w_11_0*x_0) io[1];
rz(b_12 + w_12_0*x_0) hidden[2];
rx(b_13 + w_13_0*x_0) hidden[2];
rz(b_14 + w_14_0*x_0) hidden[2];
rz(b_15 + w_15_0*x_0) io[2];
rx(b_16 + w_16_0*x_0) io[2];
rz(b_17 + w_17_0*x_0) io[2];
rz(b_18 + w_18_0*x_0) hidden[3];
rx(b_19 + w_19_0*x_0) hidden[3];
rz(b_20 + w_20_0*x_0) hidden[3];
rz(b_21 + w_21_0*x_0) io[3];
rx(b_22 + w_22_0*x_0) io[3];
rz(b_23 + w_23_0*x_0) io[3];
crx(b_24 + w_24_0*x_0) hidden[0], io[0];
crx(b_25 + w_25_0*x_0) io[0], hidden[1];
crx(b_26 + w_26_0*x_0) hidden[1], io[1];
crx(b_27 + w_27_0*x_0) io[1], hidden[2];
crx(b_28 + w_28_0*x_0) hidden[2], io[2];
crx(b_29 + w_29_0*x_0) io[2], hidden[3];
crx(b_30 + w_30_0*x_0) hidden[3], io[3];
rz(b_31 + w_31_0*x_0) hidden[0];
rx(b_32 + w_32_0*x_0) hidden[0];
rz(b_33 + w_33_0*x_0) hidden[0];
rz(b_34 + w_34_0*x_0) io[0];
rx(b_35 + w_35_0*x_0) io[0];
rz(b_36 + w_36_0*x_0) io[0];
rz(b_37 + w_37_0*x_0) hidden[1];
rx(b_38 + w_38_0*x_0) hidden[1];
rz(b_39 + w_39_0*x_0) hidden[1];
rz(b_40 + w_40_0*x_0) io[1];
rx(b_41 + w_41_0*x_0) io[1];
rz(b_42 + w_42_0*x_0) io[1];
rz(b_43 + w_43_0*x_0) hidden[2];
rx(b_44 + w_44_0*x_0) hidden[2];
rz(b_45 + w_45_0*x_0) hidden[2];
rz(b_46 + w_46_0*x_0) io[2];
rx(b_47 + w_47_0*x_0) io[2];
rz(b_48 + w_48_0*x_0) io[2];
rz(b_49 + w_49_0*x_0) hidden[3];
rx(b_50 + w_50_0*x_0) hidden[3];
rz(b_51 + w_51_0*x_0) hidden[3];
rz(b_52 + w_52_0*x_0) io[3];
rx(b_53 + w_53_0*x_0) io[3];
rz(b_54 + w_54_0*x_0) io[3];
readout[0] = measure io[0];
readout[1] = measure io[1];
readout[2] = measure io[2];
readout[3] = measure io[3];
reset io[0];
reset io[1];
reset io[2];
reset io[3];
